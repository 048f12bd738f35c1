/**
 * Hashes of texts in bounded memory. With more than `capacity` different ones, only those below a threshold are kept, which is a
 * random sample. So a text is found if it was added and its hash is below the threshold.
 */
export class HashSample {
  readonly #capacity: number
  readonly #kept = new Set<number>()
  #threshold = 2 ** 53

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  /** How many hashes are kept. */
  get size(): number {
    return this.#kept.size
  }

  add(hash: number): void {
    if (hash >= this.#threshold) return
    this.#kept.add(hash)
    while (this.#kept.size > this.#capacity) {
      this.#threshold /= 2
      for (const kept of this.#kept) if (kept >= this.#threshold) this.#kept.delete(kept)
    }
  }

  /** Removes a hash. @returns whether it was kept */
  remove(hash: number): boolean {
    return this.#kept.delete(hash)
  }
}

/** A hash of 53 bits. Among a million texts, two have the same hash with a probability of 1 in 18,000. */
export function hashText(text: string): number {
  let low = 0xdeadbeef
  let high = 0x41c6ce57
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    low = Math.imul(low ^ unit, 2654435761)
    high = Math.imul(high ^ unit, 1597334677)
  }
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909)
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909)
  return (high & 0x1fffff) * 2 ** 32 + (low >>> 0)
}
