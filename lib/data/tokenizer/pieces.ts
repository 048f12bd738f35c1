/** Pieces of a Unigram vocabulary with their scores, in three arrays: an object for each would take most of the time of a load. */
export class Pieces {
  constructor(
    /** The UTF-16 units of all pieces. */
    readonly units: Uint16Array,
    /** The start of each piece in `units`, and the end of the last one. */
    readonly starts: Int32Array,
    readonly scores: Float64Array,
  ) {}

  static of(pairs: readonly (readonly [piece: string, score: number])[]): Pieces {
    const { length } = pairs
    const starts = new Int32Array(length + 1)
    const scores = new Float64Array(length)
    // Indices throughout, because destructuring pairs is slow for hundreds of thousands of them.
    for (let id = 0; id < length; id++) {
      starts[id + 1] = starts[id]! + pairs[id]![0].length
      scores[id] = pairs[id]![1]
    }
    const units = new Uint16Array(starts[length]!)
    let at = 0
    for (let id = 0; id < length; id++) {
      const text = pairs[id]![0]
      for (let i = 0; i < text.length; i++) units[at++] = text.charCodeAt(i)
    }
    return new Pieces(units, starts, scores)
  }

  get length(): number {
    return this.scores.length
  }

  text(id: number): string {
    return String.fromCharCode(...this.units.subarray(this.starts[id], this.starts[id + 1]))
  }

  /** The first piece with this text, and this score if one is given; -1 for none. */
  indexOf(text: string, score?: number): number {
    for (let id = 0; id < this.length; id++) {
      if (this.is(id, text) && (score === undefined || this.scores[id] === score)) return id
    }
    return -1
  }

  /** The last piece with this text, or -1. */
  lastIndexOf(text: string): number {
    for (let id = this.length - 1; id >= 0; id--) if (this.is(id, text)) return id
    return -1
  }

  /** The last piece of each of these texts that has one. */
  idsOf(texts: Iterable<string>): Map<string, number> {
    const wanted = new Set(texts)
    const keyOf = (length: number, first: number) => length * 65_536 + first
    // Most pieces differ from all of them in their length or first unit.
    const keys = new Set<number>()
    for (const text of wanted) keys.add(keyOf(text.length, text === '' ? 0 : text.charCodeAt(0)))
    const ids = new Map<string, number>()
    const { units, starts } = this
    for (let id = 0; id < this.length; id++) {
      const length = starts[id + 1]! - starts[id]!
      if (!keys.has(keyOf(length, length === 0 ? 0 : units[starts[id]!]!))) continue
      const text = this.text(id)
      if (wanted.has(text)) ids.set(text, id)
    }
    return ids
  }

  /** As tokenizer.json has them. */
  toJSON(): [piece: string, score: number][] {
    return Array.from(this.scores, (score, id) => [this.text(id), score])
  }

  private is(id: number, text: string): boolean {
    const { units, starts } = this
    const start = starts[id]!
    if (starts[id + 1]! - start !== text.length) return false
    for (let i = 0; i < text.length; i++) if (units[start + i] !== text.charCodeAt(i)) return false
    return true
  }
}
