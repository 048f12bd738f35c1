import { mulberry32 } from '../helpers/tiny-model.js'

/** Choices that depend on the seed alone. */
export class Random {
  readonly #next: () => number

  private constructor(seed: number) {
    this.#next = mulberry32(seed)
  }

  /** The choices of one case. */
  static of(target: string, seed: number, index: number): Random {
    let hash = seed | 0
    for (const char of `${target}:${index}`) hash = Math.imul(hash ^ char.codePointAt(0)!, 0x01000193) + 0x9e3779b9
    return new Random(hash)
  }

  /** A whole number from 0 to `end` - 1; 0 where there is none. */
  int(end: number): number {
    return Math.floor(this.#next() * end)
  }

  /** True in one of `n` cases. */
  oneIn(n: number): boolean {
    return this.int(n) === 0
  }

  pick<T>(list: readonly T[]): T {
    return list[this.int(list.length)]!
  }

  /** Between `least` and `most` results of `make`; few are likelier. */
  some<T>(least: number, most: number, make: () => T): T[] {
    let count = least
    while (count < most && this.oneIn(2)) count++
    return Array.from({ length: count }, make)
  }
}
