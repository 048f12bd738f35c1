import type { Dataset } from '../dataset.js'
import { Turns } from '../turns.js'
import { CHUNK_ROWS, numberValues } from '../value-numbers.js'
import { PositionHeap } from './position-heap.js'
import { type BatchSampler, batchCount, type SamplerOptions, shuffledRows } from './sampler.js'

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
  /** Made when the first epoch begins. */
  private texts: Promise<NumberedTexts> | undefined

  constructor(
    private readonly dataset: Dataset,
    private readonly options: SamplerOptions,
  ) {
    this.length = batchCount(dataset.length, options)
    this.rows = dataset.length
    this.columns = dataset.textColumns.length
  }

  async *batches(epoch: number): AsyncGenerator<Int32Array, void, undefined> {
    const { batchSize, dropLast = false, seed = 0 } = this.options
    this.texts ??= numberTexts(this.dataset)
    const { textIds, groups, distinct } = await this.texts
    const turns = new Turns()
    const order = await shuffledRows(this.rows, seed, epoch, turns)
    // Every group is a linked list of positions in `order`.
    const head = new Int32Array(distinct).fill(none)
    const next = new Int32Array(this.rows)
    for (let position = this.rows - 1; position >= 0; position--) {
      const group = groups[order[position]!]!
      next[position] = head[group]!
      head[group] = position
      if (position % CHUNK_ROWS === 0) await turns.give()
    }
    /** Heads of the groups that this batch has not touched yet. */
    const untouched = new PositionHeap()
    // In rising order: every one goes to the end of the heap at once.
    for (let position = 0; position < this.rows; position++) {
      if (head[groups[order[position]!]!] === position) untouched.push(position)
      if (position % CHUNK_ROWS === 0) await turns.give()
    }

    // The last batch that took each text, and the position in front of the one that a group offers.
    const takenBy = new Int32Array(distinct).fill(none)
    const before = new Int32Array(distinct).fill(none)
    const overlaps = (row: number, batchNumber: number): boolean => {
      for (let c = 0; c < this.columns; c++) if (takenBy[textIds[row * this.columns + c]!] === batchNumber) return true
      return false
    }
    const batch = new Int32Array(batchSize)
    let looks = 0
    for (let number = 0; untouched.size > 0; number++) {
      let size = 0
      const touched: number[] = []
      /** What groups offer whose first rows overlap with the batch. */
      const further = new PositionHeap()
      while (size < batchSize && untouched.size + further.size > 0) {
        const isHead = untouched.peek() < further.peek()
        const position = isHead ? untouched.pop() : further.pop()
        const row = order[position]!
        const group = groups[row]!
        if (++looks % CHUNK_ROWS === 0) await turns.give()
        if (isHead) touched.push(group)
        if (takenBy[group] === number) continue
        const following = next[position]!
        if (overlaps(row, number)) {
          before[group] = position
          if (following !== none) further.push(following)
          continue
        }
        for (let c = 0; c < this.columns; c++) takenBy[textIds[row * this.columns + c]!] = number
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
}

interface NumberedTexts {
  /** Number of the text in every row and column, [rows, columns]. */
  textIds: Int32Array
  /** Number of the most frequent text of every row. */
  groups: Int32Array
  /** How many different texts there are. */
  distinct: number
}

async function numberTexts(dataset: Dataset): Promise<NumberedTexts> {
  const turns = new Turns()
  const columns = dataset.textColumns.length
  const { ids: textIds, numbers } = await numberValues(dataset, dataset.textColumns, turns)
  const { counts } = numbers
  const groups = new Int32Array(dataset.length)
  for (let row = 0; row < dataset.length; row++) {
    let group = textIds[row * columns]!
    for (let c = 1; c < columns; c++) {
      const id = textIds[row * columns + c]!
      if (counts[id]! > counts[group]!) group = id
    }
    groups[row] = group
    if (row % CHUNK_ROWS === 0) await turns.give()
  }
  return { textIds, groups, distinct: counts.length }
}
