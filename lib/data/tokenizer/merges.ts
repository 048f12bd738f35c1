/** Limit of merges: a rank and a position in a word fit into one number. */
export const MOST_MERGES = 1 << 22
const PLACES = 2 ** 31
/** Limit of symbols in a word for which memory is reused. */
const USUAL = 256
/** Bits for a position in a short word, whose possible merges are few: looking through them is faster than a heap. */
const SHORT_BITS = 5
/** Limit of symbols in a short word. */
const SHORT = 1 << SHORT_BITS
/** Numbers of a slot: left and right id, id of the merged token, rank. */
const SLOT = 4

/**
 * The merges of byte pair encoding, by the ids of two neighbours. A word of n symbols takes O(n log n) steps and O(n)
 * memory. Possible merges wait in a heap, those of a short word in a list: the lowest rank first, of equal ranks the leftmost.
 * Source: `Word::merge_all` of Hugging Face's Rust tokenizers, with its treatment of outdated entries.
 */
export class Merges {
  /** An open hash table; the left id of a free slot is -1. */
  private readonly slots: Int32Array
  private readonly shift: number
  /** Random, so that no file can make all merges collide. */
  private readonly factors = [oddNumber(), oddNumber()] as const
  /** The merged token, by rank. */
  private readonly results: Int32Array
  private count = 0
  private readonly usual = new Memory(USUAL)
  /** The possible merges of a short word, in any order: one at each symbol, and two more for each merge. */
  private readonly few = new Int32Array(3 * SHORT)

  /** @param most limit of merges */
  constructor(most: number) {
    const bits = Math.max(4, Math.ceil(Math.log2(most * 1.5 + 1)))
    this.shift = 32 - bits
    this.slots = new Int32Array(SLOT << bits).fill(-1)
    this.results = new Int32Array(most)
  }

  /** Adds the merge of the next rank. Of two for the same neighbours the later counts. */
  add(left: number, right: number, result: number): void {
    const slot = this.slotOf(left, right)
    const rank = this.count++
    this.slots[slot] = left
    this.slots[slot + 1] = right
    this.slots[slot + 2] = result
    this.slots[slot + 3] = rank
    this.results[rank] = result
  }

  /**
   * Merges the first `count` symbols in place.
   * @returns number of symbols left
   */
  merge(symbols: Int32Array, count: number): number {
    if (count < 2) return count
    return count <= SHORT ? this.mergeFew(symbols, count) : this.mergeMany(symbols, count)
  }

  /** As `mergeMany`, for a short word. */
  private mergeFew(symbols: Int32Array, count: number): number {
    const { slots, results, few } = this
    const { next, previous } = this.usual
    let waiting = 0
    for (let i = 0; i < count; i++) {
      next[i] = i + 1
      previous[i] = i - 1
    }
    for (let i = 0; i + 1 < count; i++) {
      const slot = this.slotOf(symbols[i]!, symbols[i + 1]!)
      if (slots[slot] !== -1) few[waiting++] = slots[slot + 3]! * SHORT + i
    }
    while (waiting > 0) {
      let least = 0
      for (let i = 1; i < waiting; i++) if (few[i]! < few[least]!) least = i
      const entry = few[least]!
      few[least] = few[--waiting]!
      const at = entry & (SHORT - 1)
      const second = next[at]!
      if (symbols[at] === -1 || second === count) continue
      // The two symbols there may have changed since.
      const slot = this.slotOf(symbols[at]!, symbols[second]!)
      const result = results[entry >>> SHORT_BITS]!
      if (slots[slot] === -1 || slots[slot + 2] !== result) continue
      symbols[at] = result
      symbols[second] = -1
      const third = next[second]!
      next[at] = third
      const before = previous[at]!
      if (before >= 0) {
        const left = this.slotOf(symbols[before]!, result)
        if (slots[left] !== -1) few[waiting++] = slots[left + 3]! * SHORT + before
      }
      if (third === count) continue
      previous[third] = at
      const right = this.slotOf(result, symbols[third]!)
      if (slots[right] !== -1) few[waiting++] = slots[right + 3]! * SHORT + at
    }
    let left = 0
    for (let i = 0; i < count; i = next[i]!) symbols[left++] = symbols[i]!
    return left
  }

  private mergeMany(symbols: Int32Array, count: number): number {
    const { slots, results } = this
    const { heap, next, previous } = count <= USUAL ? this.usual.empty(count) : new Memory(count)
    for (let i = 0; i + 1 < count; i++) this.offer(heap, symbols[i]!, symbols[i + 1]!, i)
    heap.order()
    while (heap.length > 0) {
      const entry = heap.pop()
      const rank = Math.floor(entry / PLACES)
      const at = entry - rank * PLACES
      const second = next[at]!
      if (symbols[at] === -1 || second === count) continue
      // The two symbols there may have changed since.
      const slot = this.slotOf(symbols[at]!, symbols[second]!)
      const result = results[rank]!
      if (slots[slot] === -1 || slots[slot + 2] !== result) continue
      symbols[at] = result
      symbols[second] = -1
      const third = next[second]!
      next[at] = third
      if (third < count) previous[third] = at
      const before = previous[at]!
      if (before >= 0) this.push(heap, symbols[before]!, result, before)
      if (third < count) this.push(heap, result, symbols[third]!, at)
    }
    let left = 0
    for (let i = 0; i < count; i = next[i]!) symbols[left++] = symbols[i]!
    return left
  }

  private offer(heap: Heap, left: number, right: number, at: number): void {
    const slot = this.slotOf(left, right)
    if (this.slots[slot] !== -1) heap.add(this.slots[slot + 3]! * PLACES + at)
  }

  private push(heap: Heap, left: number, right: number, at: number): void {
    const slot = this.slotOf(left, right)
    if (this.slots[slot] !== -1) heap.push(this.slots[slot + 3]! * PLACES + at)
  }

  /** The slot of the two, or a free one. */
  private slotOf(left: number, right: number): number {
    const { slots, factors } = this
    let slot = ((Math.imul(left, factors[0]) + Math.imul(right, factors[1])) >>> this.shift) * SLOT
    while (slots[slot] !== -1 && (slots[slot] !== left || slots[slot + 1] !== right)) {
      slot += SLOT
      if (slot === slots.length) slot = 0
    }
    return slot
  }
}

function oddNumber(): number {
  return Math.floor(Math.random() * 2 ** 32) | 1
}

/** Memory for the merges of one word. */
class Memory {
  readonly heap: Heap
  readonly next: Int32Array
  readonly previous: Int32Array

  constructor(count: number) {
    this.heap = new Heap(count)
    this.next = new Int32Array(count)
    this.previous = new Int32Array(count)
    this.empty(count)
  }

  /** Resets it for a new word. */
  empty(count: number): this {
    this.heap.clear()
    for (let i = 0; i < count; i++) {
      this.next[i] = i + 1
      this.previous[i] = i - 1
    }
    return this
  }
}

/** A heap of numbers with the least on top. */
class Heap {
  private entries: Float64Array
  private count = 0

  constructor(room: number) {
    this.entries = new Float64Array(room)
  }

  get length(): number {
    return this.count
  }

  clear(): void {
    this.count = 0
  }

  /** Adds a number at the end. Call `order` before `pop`. */
  add(entry: number): void {
    if (this.count === this.entries.length) {
      const larger = new Float64Array(this.count * 2)
      larger.set(this.entries)
      this.entries = larger
    }
    this.entries[this.count++] = entry
  }

  order(): void {
    for (let i = (this.count >> 1) - 1; i >= 0; i--) this.sink(i, this.entries[i]!)
  }

  push(entry: number): void {
    this.add(entry)
    const { entries } = this
    let at = this.count - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (entries[parent]! <= entry) break
      entries[at] = entries[parent]!
      at = parent
    }
    entries[at] = entry
  }

  pop(): number {
    const { entries } = this
    const top = entries[0]!
    const last = entries[--this.count]!
    if (this.count > 0) this.sink(0, last)
    return top
  }

  private sink(from: number, entry: number): void {
    const { entries, count } = this
    let at = from
    for (;;) {
      let child = 2 * at + 1
      if (child >= count) break
      if (child + 1 < count && entries[child + 1]! < entries[child]!) child++
      if (entries[child]! >= entry) break
      entries[at] = entries[child]!
      at = child
    }
    entries[at] = entry
  }
}
