/**
 * Seeded random numbers for every random choice of the TypeScript side (order of rows): xoshiro128** 1.1 of D. Blackman and
 * S. Vigna (https://prng.di.unimi.it/xoshiro128starstar.c, public domain). Its state comes from splitmix32-style mixing of
 * the seeds. The same seeds give the same numbers on every platform and in every version of this package.
 */
export class Random {
  private readonly state = new Uint32Array(4)

  /** @param seeds integers, e.g. the run's seed and the epoch; all 53 bits of each count. */
  constructor(...seeds: number[]) {
    let mixed = 0x9e3779b9
    for (const seed of seeds) {
      mixed = mix(mixed ^ (seed >>> 0))
      mixed = mix((mixed + Math.floor(seed / 2 ** 32)) >>> 0)
    }
    for (let i = 0; i < 4; i++) {
      mixed = (mixed + 0x9e3779b9) >>> 0
      this.state[i] = mix(mixed)
    }
    // The one state that the generator cannot leave.
    if (this.state.every((word) => word === 0)) this.state[0] = 1
  }

  /** An integer in [0, 2³²). */
  nextUint32(): number {
    const s = this.state
    const result = Math.imul(rotateLeft(Math.imul(s[1]!, 5), 7), 9) >>> 0
    const t = s[1]! << 9
    s[2]! ^= s[0]!
    s[3]! ^= s[1]!
    s[1]! ^= s[2]!
    s[0]! ^= s[3]!
    s[2]! ^= t
    s[3] = rotateLeft(s[3]!, 11)
    return result
  }

  /** An integer in [0, bound), without bias; 1 ≤ bound ≤ 2³². */
  below(bound: number): number {
    // Values above the largest multiple of `bound` would favour small results, so they are drawn again.
    const limit = 2 ** 32 - (2 ** 32 % bound)
    for (;;) {
      const value = this.nextUint32()
      if (value < limit) return value % bound
    }
  }

  /** A number in [0, 1) with 32 random bits. */
  float(): number {
    return this.nextUint32() / 2 ** 32
  }

  /**
   * Shuffles in place (Fisher-Yates) and returns the same array. With `end` and `start`, only the positions from `end` − 1
   * down to `start` get their value. Calls that continue each other down to 1 make one shuffle.
   */
  shuffle<T extends Int32Array | unknown[]>(values: T, end: number = values.length, start = 1): T {
    for (let i = end - 1; i >= start; i--) {
      const j = this.below(i + 1)
      const kept = values[i]
      values[i] = values[j]
      values[j] = kept
    }
    return values
  }

  /** The numbers 0 … length − 1 in random order. */
  permutation(length: number): Int32Array {
    const values = new Int32Array(length)
    for (let i = 0; i < length; i++) values[i] = i
    return this.shuffle(values)
  }
}

/** The finaliser of MurmurHash3 (A. Appleby, public domain): every input bit flips half of the output bits. */
function mix(value: number): number {
  let h = value
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

function rotateLeft(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits))
}
