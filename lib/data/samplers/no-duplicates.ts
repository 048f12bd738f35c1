import type { Dataset } from '../dataset.js'
import { Random } from '../random.js'
import { PositionHeap } from './position-heap.js'
import { type BatchSampler, batchCount, type SamplerOptions } from './sampler.js'

const none = -1

/**
 * `no_duplicates`: a batch never holds the same text twice, in whichever columns; for losses that take the other rows of a
 * batch as negatives. Labels are not compared. Follows NoDuplicatesBatchSampler of sentence-transformers 6.0.1: every batch
 * goes through the rows that are left, in shuffled order; rows that overlap with it are put off to later batches and keep
 * their order; batches that cannot be filled are shorter (left out with `dropLast`). Unlike there the seed counts.
 *
 * The reference looks at every put-off row again in every batch, which is quadratic where rows share few texts (one of 77
 * class names, say). Here rows wait in groups by their most frequent text, of which a batch can take one row only: a group
 * that has given its row is out until the next batch, at no cost for the rows behind.
 */
export class NoDuplicatesBatchSampler implements BatchSampler {
  /** As in the reference: batches that stay short come on top, rows dropped with `dropLast` go off. */
  readonly length: number
  private readonly rows: number
  private readonly columns: number
  /** Number of the text in every row and column, [rows, columns]. */
  private readonly textIds: Int32Array
  /** Number of the most frequent text of every row. */
  private readonly groups: Int32Array
  private readonly distinct: number

  constructor(
    dataset: Dataset,
    private readonly options: SamplerOptions,
  ) {
    this.length = batchCount(dataset.length, options)
    this.rows = dataset.length
    this.columns = dataset.textColumns.length
    const { textIds, counts } = numberTexts(dataset)
    this.textIds = textIds
    this.distinct = counts.length
    this.groups = new Int32Array(this.rows)
    for (let row = 0; row < this.rows; row++) {
      let group = textIds[row * this.columns]!
      for (let c = 1; c < this.columns; c++) {
        const id = textIds[row * this.columns + c]!
        if (counts[id]! > counts[group]!) group = id
      }
      this.groups[row] = group
    }
  }

  *batches(epoch: number): Iterable<Int32Array> {
    const { batchSize, dropLast = false, seed = 0 } = this.options
    const order = new Random(seed, epoch).permutation(this.rows)
    // Every group is a linked list of positions in `order`.
    const head = new Int32Array(this.distinct).fill(none)
    const next = new Int32Array(this.rows)
    for (let position = this.rows - 1; position >= 0; position--) {
      const group = this.groups[order[position]!]!
      next[position] = head[group]!
      head[group] = position
    }
    /** Heads of the groups that this batch has not touched yet. */
    const untouched = new PositionHeap()
    for (const position of head) if (position !== none) untouched.push(position)

    // The last batch that took each text, and the position in front of the one that a group offers.
    const takenBy = new Int32Array(this.distinct).fill(none)
    const before = new Int32Array(this.distinct).fill(none)
    const batch = new Int32Array(batchSize)
    for (let number = 0; untouched.size > 0; number++) {
      let size = 0
      const touched: number[] = []
      /** What groups offer whose first rows overlap with the batch. */
      const further = new PositionHeap()
      while (size < batchSize && untouched.size + further.size > 0) {
        const isHead = untouched.peek() < further.peek()
        const position = isHead ? untouched.pop() : further.pop()
        const row = order[position]!
        const group = this.groups[row]!
        if (isHead) touched.push(group)
        if (takenBy[group] === number) continue
        const following = next[position]!
        if (this.overlaps(row, takenBy, number)) {
          before[group] = position
          if (following !== none) further.push(following)
          continue
        }
        this.take(row, takenBy, number)
        batch[size++] = row
        if (before[group] === none) head[group] = following
        else next[before[group]!] = following
      }
      for (const group of touched) {
        before[group] = none
        if (head[group] !== none) untouched.push(head[group]!)
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

  private take(row: number, takenBy: Int32Array, batch: number): void {
    for (let c = 0; c < this.columns; c++) takenBy[this.textIds[row * this.columns + c]!] = batch
  }
}

/** Numbers the texts: a number per row and column, and how often each comes. */
function numberTexts(dataset: Dataset): { textIds: Int32Array; counts: number[] } {
  const columns = dataset.textColumns.length
  const textIds = new Int32Array(dataset.length * columns)
  const known = new Map<string, number>()
  const counts: number[] = []
  dataset.textColumns.forEach((name, c) => {
    const texts = dataset.texts(name)
    for (let row = 0; row < texts.length; row++) {
      let id = known.get(texts[row]!)
      if (id === undefined) {
        id = counts.length
        known.set(texts[row]!, id)
        counts.push(0)
      }
      counts[id]!++
      textIds[row * columns + c] = id
    }
  })
  return { textIds, counts }
}
