import { COPIED_BYTES, type Embeddings, embeddings } from '../../models/embeddings.js'
import type { IndexFile } from './index-file.js'

/** Bytes that are read at once: they fit into the processor's caches. */
const BLOCK_BYTES = 2 ** 25
/** Rows that are read at the same time: the system's threads for files are few. */
const AT_ONCE = 16

/** The full vectors of an index: in memory where they are few, else read from the file. */
export class VectorStore {
  readonly #file: IndexFile
  readonly #keptBytes: number
  #kept: Float32Array | undefined

  /** @param keptBytes limit of bytes in memory */
  constructor(file: IndexFile, keptBytes = COPIED_BYTES) {
    this.#file = file
    this.#keptBytes = keptBytes
  }

  /** All rows up to `rows`, in order, in blocks; the next one is read while the caller works. */
  async *blocks(rows: number): AsyncGenerator<{ first: number; block: Embeddings }> {
    const { dimension } = this.#file.head
    if (4 * rows * dimension <= this.#keptBytes) {
      const kept = await this.#all(rows)
      yield { first: 0, block: embeddings(kept.subarray(0, rows * dimension), rows, dimension) }
      return
    }
    this.#kept = undefined
    const step = Math.max(1, Math.floor(BLOCK_BYTES / 4 / dimension))
    const read = (first: number) => {
      if (first >= rows) return undefined
      const reading = this.#range(first, Math.min(step, rows - first))
      // It is awaited later, or never where the caller ends.
      reading.catch(() => {})
      return reading
    }
    let next = read(0)
    for (let first = 0; next !== undefined; first += step) {
      const data: Float32Array = await next
      next = read(first + step)
      yield { first, block: embeddings(data, data.length / dimension, dimension) }
    }
  }

  /** Some rows, by rising numbers. */
  async some(numbers: ArrayLike<number>): Promise<Embeddings> {
    const { dimension } = this.#file.head
    const out = new Float32Array(numbers.length * dimension)
    for (let start = 0; start < numbers.length; start += AT_ONCE) {
      const reads: Promise<void>[] = []
      for (let i = start; i < Math.min(start + AT_ONCE, numbers.length); i++) {
        const target = out.subarray(i * dimension, (i + 1) * dimension)
        reads.push(this.#read(numbers[i]!, target))
      }
      await Promise.all(reads)
    }
    return embeddings(out, numbers.length, dimension)
  }

  /** Rows in memory, compared with their checksums when they are read. */
  async #all(rows: number): Promise<Float32Array> {
    const { dimension } = this.#file.head
    const there = this.#kept ?? new Float32Array(0)
    if (there.length >= rows * dimension) return there
    const all = new Float32Array(rows * dimension)
    all.set(there)
    for (const segment of this.#file.segments) {
      const start = segment.first * dimension
      if (start < there.length || segment.first >= rows) continue
      const part = all.subarray(start, start + segment.rows * dimension)
      await this.#file.readPart(segment, 'vectors', new Uint8Array(part.buffer, part.byteOffset, part.byteLength))
    }
    this.#kept = all
    return all
  }

  async #range(first: number, count: number): Promise<Float32Array> {
    const { dimension } = this.#file.head
    const out = new Float32Array(count * dimension)
    for (let row = first; row < first + count; ) {
      const segment = this.#file.segmentOf(row)
      const rows = Math.min(segment.first + segment.rows, first + count) - row
      await this.#read(row, out.subarray((row - first) * dimension, (row - first + rows) * dimension))
      row += rows
    }
    return out
  }

  /** Rows of one segment. */
  #read(row: number, target: Float32Array): Promise<void> {
    const segment = this.#file.segmentOf(row)
    const place = segment.parts.vectors.start + (row - segment.first) * this.#file.head.dimension * 4
    return this.#file.read(new Uint8Array(target.buffer, target.byteOffset, target.byteLength), place)
  }
}
