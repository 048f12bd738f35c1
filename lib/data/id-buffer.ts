import type { Tokenized } from './pack.js'

/** Token ids of one text after another, in memory that grows. */
export class IdBuffer {
  private ids: Int32Array
  private readonly offsets: Int32Array
  private rows = 0
  private end = 0

  /** @param texts limit of texts */
  constructor(texts: number) {
    this.offsets = new Int32Array(texts + 1)
    this.ids = new Int32Array(16 + texts * 24)
  }

  /** Number of ids so far. */
  get length(): number {
    return this.end
  }

  push(id: number): void {
    if (this.end === this.ids.length) this.grow()
    this.ids[this.end++] = id
  }

  /** The id at an index below `length`. */
  at(index: number): number {
    return this.ids[index]!
  }

  /** A copy of the ids from `start` on. */
  from(start: number): number[] {
    const ids: number[] = []
    for (let i = start; i < this.end; i++) ids.push(this.ids[i]!)
    return ids
  }

  /** Drops the ids from `length` on. */
  cut(length: number): void {
    this.end = length
  }

  /**
   * Ends the text that began at `start`: keeps `room` of its ids (the last ones if `fromLeft` cuts) and appends `suffix`.
   */
  endText(start: number, room: number, fromLeft: boolean, suffix: readonly number[]): void {
    const excess = this.end - start - room
    if (excess > 0) {
      if (fromLeft) this.ids.copyWithin(start, start + excess, this.end)
      this.end -= excess
    }
    for (const id of suffix) this.push(id)
    this.offsets[++this.rows] = this.end
  }

  /** A copy of the collected ids. */
  take(): Tokenized {
    return { ids: this.ids.slice(0, this.end), offsets: this.offsets }
  }

  private grow(): void {
    const larger = new Int32Array(this.ids.length * 2)
    larger.set(this.ids)
    this.ids = larger
  }
}
