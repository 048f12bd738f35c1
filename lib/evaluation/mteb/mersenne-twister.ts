/**
 * numpy's `RandomState(seed)`: the Mersenne Twister MT19937 of M. Matsumoto and T. Nishimura (1998), seeded with one number.
 * Only for shuffles that must equal Python's. All other random numbers come from lib/data/random.ts.
 */
export class MersenneTwister {
  readonly #state = new Uint32Array(624)
  #position = 624

  /** @param seed from 0 to 2³² − 1 */
  constructor(seed: number) {
    this.#state[0] = seed
    for (let i = 1; i < 624; i++) {
      const before = this.#state[i - 1]!
      this.#state[i] = Math.imul(1812433253, before ^ (before >>> 30)) + i
    }
  }

  nextUint32(): number {
    if (this.#position === 624) this.#refill()
    let y = this.#state[this.#position++]!
    y ^= y >>> 11
    y ^= (y << 7) & 0x9d2c5680
    y ^= (y << 15) & 0xefc60000
    return (y ^ (y >>> 18)) >>> 0
  }

  /** An integer from 0 to `max`: draws bits until they are small enough, as `random_interval` does. */
  upTo(max: number): number {
    if (max === 0) return 0
    const mask = 0xffffffff >>> Math.clz32(max)
    for (;;) {
      const value = (this.nextUint32() & mask) >>> 0
      if (value <= max) return value
    }
  }

  /**
   * Shuffles in place as `RandomState.shuffle` shuffles a list. With `end` and `start`, only the positions from `end` − 1 down to
   * `start` get their value; calls that continue each other down to 1 make one shuffle.
   */
  shuffle(values: Int32Array, end = values.length, start = 1): void {
    for (let i = end - 1; i >= start; i--) {
      const j = this.upTo(i)
      const kept = values[i]!
      values[i] = values[j]!
      values[j] = kept
    }
  }

  #refill(): void {
    const state = this.#state
    for (let i = 0; i < 624; i++) {
      const y = (state[i]! & 0x80000000) | (state[(i + 1) % 624]! & 0x7fffffff)
      state[i] = state[(i + 397) % 624]! ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0)
    }
    this.#position = 0
  }
}
