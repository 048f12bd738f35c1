import type { Dataset } from '../dataset.js'
import { Random } from '../random.js'
import { type BatchSampler, batchCount, type SamplerOptions } from './sampler.js'

/**
 * `no_duplicates`: a batch never holds the same text twice, in whichever columns; for losses that take the other rows of a
 * batch as negatives. Labels are not compared. Follows NoDuplicatesBatchSampler of sentence-transformers 6.0.1: rows that
 * overlap with the batch are put off to later batches and keep their order; every batch starts at the first row that is
 * left; batches that cannot be filled are shorter (left out with `dropLast`). Unlike there the seed counts.
 *
 * Texts become numbers once, so that an epoch costs a few integer reads per row. Rows that are put off again and again cost
 * one look per batch: data in which most rows share a text is slow in proportion.
 */
export class NoDuplicatesBatchSampler implements BatchSampler {
  /** Upper bound, as in the reference: batches that stay short come on top, rows dropped with `dropLast` go off. */
  readonly length: number
  private readonly rows: number
  private readonly columns: number
  /** Number of the text in every row and column, [rows, columns]. */
  private readonly textIds: Int32Array
  private readonly distinct: number

  constructor(
    dataset: Dataset,
    private readonly options: SamplerOptions,
  ) {
    this.length = batchCount(dataset.length, options)
    this.rows = dataset.length
    this.columns = dataset.textColumns.length
    this.textIds = new Int32Array(this.rows * this.columns)
    const known = new Map<string, number>()
    dataset.textColumns.forEach((name, c) => {
      const texts = dataset.texts(name)
      for (let row = 0; row < this.rows; row++) {
        const text = texts[row]!
        let id = known.get(text)
        if (id === undefined) {
          id = known.size
          known.set(text, id)
        }
        this.textIds[row * this.columns + c] = id
      }
    })
    this.distinct = known.size
  }

  *batches(epoch: number): Iterable<Int32Array> {
    const { batchSize, dropLast = false, seed = 0 } = this.options
    if (this.rows === 0) return
    const order = new Random(seed, epoch).permutation(this.rows)
    // A linked list over positions in `order` of the rows that are left; `rows` marks the end.
    const next = new Int32Array(this.rows)
    for (let i = 0; i < this.rows; i++) next[i] = i + 1
    // The last batch that took each text.
    const takenBy = new Int32Array(this.distinct).fill(-1)
    const batch = new Int32Array(batchSize)

    let head = 0
    for (let number = 0; head !== this.rows; number++) {
      let size = 0
      let previous = -1
      for (let position = head; position !== this.rows && size < batchSize; ) {
        const following = next[position]!
        const row = order[position]!
        if (this.overlaps(row, takenBy, number)) {
          previous = position
        } else {
          for (let c = 0; c < this.columns; c++) takenBy[this.textIds[row * this.columns + c]!] = number
          batch[size++] = row
          if (previous === -1) head = following
          else next[previous] = following
        }
        position = following
      }
      if (size === batchSize || !dropLast) yield batch.slice(0, size)
    }
  }

  private overlaps(row: number, takenBy: Int32Array, batch: number): boolean {
    for (let c = 0; c < this.columns; c++) {
      if (takenBy[this.textIds[row * this.columns + c]!] === batch) return true
    }
    return false
  }
}
