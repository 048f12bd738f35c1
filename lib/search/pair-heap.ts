/**
 * Pairs of rows with their score: a binary heap in typed arrays. The lowest score comes out first; of equal scores, the largest
 * (i, j).
 */
export class PairHeap {
  #scores = new Float32Array(1024)
  #pairs = new Int32Array(2048)
  #size = 0

  get size(): number {
    return this.#size
  }

  push(score: number, i: number, j: number): void {
    if (this.#size === this.#scores.length) this.#grow()
    let at = this.#size++
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!this.#above(score, i, j, parent)) break
      this.#move(parent, at)
      at = parent
    }
    this.#put(at, score, i, j)
  }

  /** Removes and returns the first entry. The heap must not be empty. */
  pop(): { score: number; i: number; j: number } {
    const [score, i, j] = [this.#scores[0]!, this.#pairs[0]!, this.#pairs[1]!]
    const last = --this.#size
    const [s, a, b] = [this.#scores[last]!, this.#pairs[2 * last]!, this.#pairs[2 * last + 1]!]
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= last) break
      if (child + 1 < last && this.#isFirst(child + 1, child)) child++
      if (this.#above(s, a, b, child)) break
      this.#move(child, at)
      at = child
    }
    this.#put(at, s, a, b)
    return { score, i, j }
  }

  /** Whether the given entry comes before or is the one at `at`. */
  #above(score: number, i: number, j: number, at: number): boolean {
    const other = this.#scores[at]!
    if (score !== other) return score < other
    const first = this.#pairs[2 * at]!
    return i !== first ? i > first : j >= this.#pairs[2 * at + 1]!
  }

  #isFirst(a: number, b: number): boolean {
    return this.#above(this.#scores[a]!, this.#pairs[2 * a]!, this.#pairs[2 * a + 1]!, b)
  }

  #move(from: number, to: number): void {
    this.#put(to, this.#scores[from]!, this.#pairs[2 * from]!, this.#pairs[2 * from + 1]!)
  }

  #put(at: number, score: number, i: number, j: number): void {
    this.#scores[at] = score
    this.#pairs[2 * at] = i
    this.#pairs[2 * at + 1] = j
  }

  #grow(): void {
    const scores = new Float32Array(this.#scores.length * 2)
    const pairs = new Int32Array(this.#pairs.length * 2)
    scores.set(this.#scores)
    pairs.set(this.#pairs)
    this.#scores = scores
    this.#pairs = pairs
  }
}

/** Pairs of numbers: a hash table in one typed array, which grows with its content and leaves no garbage. */
export class PairSet {
  #pairs = new Int32Array(2048).fill(-1)
  #size = 0

  /** Adds a pair of numbers ≥ 0. @returns whether it was new */
  add(i: number, j: number): boolean {
    const slot = this.#slot(i, j)
    if (this.#pairs[2 * slot] !== -1) return false
    this.#put(slot, i, j)
    // At most half full, so that a search is short.
    if (++this.#size > this.#pairs.length / 4) this.#grow()
    return true
  }

  /** Removes a pair, if it is there. */
  delete(i: number, j: number): void {
    const mask = this.#pairs.length / 2 - 1
    let gap = this.#slot(i, j)
    if (this.#pairs[2 * gap] === -1) return
    this.#size--
    // An entry after the gap moves into it if a search for the entry would stop at the gap.
    for (let slot = (gap + 1) & mask; this.#pairs[2 * slot] !== -1; slot = (slot + 1) & mask) {
      const [a, b] = [this.#pairs[2 * slot]!, this.#pairs[2 * slot + 1]!]
      if (((slot - this.#home(a, b)) & mask) < ((slot - gap) & mask)) continue
      this.#put(gap, a, b)
      gap = slot
    }
    this.#put(gap, -1, -1)
  }

  /** The slot at which a search for a pair begins. */
  #home(i: number, j: number): number {
    const hash = Math.imul(Math.imul(i, 0x9e3779b1) ^ j, 0x85ebca6b)
    return (hash ^ (hash >>> 15)) & (this.#pairs.length / 2 - 1)
  }

  /** The slot of a pair, or the free slot for it. */
  #slot(i: number, j: number): number {
    const mask = this.#pairs.length / 2 - 1
    let slot = this.#home(i, j)
    while (this.#pairs[2 * slot] !== -1 && (this.#pairs[2 * slot] !== i || this.#pairs[2 * slot + 1] !== j)) {
      slot = (slot + 1) & mask
    }
    return slot
  }

  #put(slot: number, i: number, j: number): void {
    this.#pairs[2 * slot] = i
    this.#pairs[2 * slot + 1] = j
  }

  #grow(): void {
    const old = this.#pairs
    this.#pairs = new Int32Array(2 * old.length).fill(-1)
    for (let at = 0; at < old.length; at += 2) {
      if (old[at] !== -1) this.#put(this.#slot(old[at]!, old[at + 1]!), old[at]!, old[at + 1]!)
    }
  }
}
