import { EMPTY_HASH, hashOfMore } from '../unit-hash.js'
import type { Pieces } from './pieces.js'
import { Prefixes } from './prefixes.js'

/** No piece. */
export const NONE = -1

/**
 * Limit of UTF-16 units of the pieces in the table. Few pieces are longer, and comparing those at every position would take
 * too long.
 */
const SHORT = 32

/** Bits per piece for the filter of prefixes. It rejects nine of ten prefixes that no piece has. */
const MARKS_BY_PIECE = 32

/**
 * Finds the pieces of a vocabulary that begin at a position of a text, in some 30 bytes for each piece: a hash table of the
 * pieces, and a bit filter of all their prefixes. The filter ends a search early as a trie does, without its nodes.
 */
export class PieceTable {
  /** UTF-16 units of the longest piece. */
  readonly longest: number
  private readonly units: Uint16Array
  /** The start of each piece in `units`. */
  private readonly starts: Int32Array
  /** For each slot, the number of a piece or {@link NONE}, and some bits of its hash. */
  private readonly slots: Int32Array
  private readonly tags: Uint8Array
  private readonly slotShift: number
  /** A bit for every hash of a prefix. */
  private readonly marks: Int32Array
  private readonly markShift: number
  /** Pieces that are longer. */
  private readonly long = new Prefixes<number>()
  private readonly hasLong: boolean

  /** Of equal pieces the last one counts. An empty piece is never found. */
  constructor(pieces: Pieces) {
    const { length, starts } = pieces
    this.units = pieces.units
    this.starts = starts
    let longest = 0
    for (let id = 0; id < length; id++) longest = Math.max(longest, starts[id + 1]! - starts[id]!)
    this.longest = longest
    this.hasLong = longest > SHORT
    const slotBits = bitsFor(2 * length)
    this.slots = new Int32Array(2 ** slotBits).fill(NONE)
    this.tags = new Uint8Array(2 ** slotBits)
    this.slotShift = 32 - slotBits
    const markBits = bitsFor(MARKS_BY_PIECE * length)
    this.marks = new Int32Array(2 ** (markBits - 5))
    this.markShift = 32 - markBits
    for (let id = 0; id < length; id++) this.add(id)
    if (!this.hasLong) return
    // Here the first one counts.
    for (let id = length - 1; id >= 0; id--) {
      if (starts[id + 1]! - starts[id]! > SHORT) this.long.add(pieces.text(id), id)
    }
  }

  /** The last piece with this text, or {@link NONE}. */
  find(piece: string): number {
    let hash = EMPTY_HASH
    if (piece.length > SHORT) {
      let found = NONE
      this.long.each(piece, 0, (length, id) => {
        if (length === piece.length) found = id
      })
      return found
    }
    for (let i = 0; i < piece.length; i++) hash = hashOfMore(hash, piece.charCodeAt(i))
    return this.lookUp(piece, 0, piece.length, hash)
  }

  /**
   * The pieces that begin at `at` in `text`, the shortest first.
   * @param found receives the end and the number of each piece, one after another; its size is {@link roomFor}
   * @returns number of entries written to `found`
   */
  findAll(text: string, at: number, found: Int32Array): number {
    const { marks, markShift } = this
    const last = Math.min(text.length, at + SHORT)
    let hash = EMPTY_HASH
    let count = 0
    for (let end = at; end < last; ) {
      hash = hashOfMore(hash, text.charCodeAt(end++))
      const mark = hash >>> markShift
      if ((marks[mark >>> 5]! & (1 << (mark & 31))) === 0) break
      const id = this.lookUp(text, at, end, hash)
      if (id === NONE) continue
      found[count++] = end
      found[count++] = id
    }
    if (this.hasLong) {
      this.long.each(text, at, (length, id) => {
        found[count++] = at + length
        found[count++] = id
      })
    }
    return count
  }

  /** Memory for {@link findAll}. */
  roomFor(): Int32Array {
    return new Int32Array(2 * this.longest)
  }

  private add(id: number): void {
    const { units, starts, slots, tags, marks, markShift } = this
    const last = slots.length - 1
    const [start, end] = [starts[id]!, starts[id + 1]!]
    if (end === start || end - start > SHORT) return
    let hash = EMPTY_HASH
    for (let i = start; i < end; i++) {
      hash = hashOfMore(hash, units[i]!)
      const mark = hash >>> markShift
      marks[mark >>> 5]! |= 1 << (mark & 31)
    }
    const tag = hash & 0xff
    let slot = hash >>> this.slotShift
    while (slots[slot] !== NONE && !(tags[slot] === tag && this.areEqual(slots[slot]!, id))) slot = (slot + 1) & last
    slots[slot] = id
    tags[slot] = tag
  }

  private lookUp(text: string, start: number, end: number, hash: number): number {
    const { slots, tags } = this
    const last = slots.length - 1
    const tag = hash & 0xff
    for (let slot = hash >>> this.slotShift; ; slot = (slot + 1) & last) {
      const id = slots[slot]!
      if (id === NONE || (tags[slot] === tag && this.isPiece(id, text, start, end))) return id
    }
  }

  private areEqual(a: number, b: number): boolean {
    const { units, starts } = this
    const [first, second] = [starts[a]!, starts[b]!]
    const length = starts[a + 1]! - first
    if (starts[b + 1]! - second !== length) return false
    for (let i = 0; i < length; i++) if (units[first + i] !== units[second + i]) return false
    return true
  }

  private isPiece(id: number, text: string, start: number, end: number): boolean {
    const { units, starts } = this
    let at = starts[id]!
    if (starts[id + 1]! - at !== end - start) return false
    for (let i = start; i < end; i++) if (units[at++] !== text.charCodeAt(i)) return false
    return true
  }
}

/** Bits that can number `count` places, 5 or more. */
function bitsFor(count: number): number {
  return Math.max(5, Math.ceil(Math.log2(count)))
}
