import type { Dataset } from '../dataset.js'
import { Random } from '../random.js'
import { shuffledRows } from '../shuffled-rows.js'
import { itemsInSlices, type Pieces } from '../time-slice.js'
import { CHUNK_ROWS, numberValues } from '../value-numbers.js'
import { PositionHeap } from './position-heap.js'
import { batchCount, type OwnBatchSampler, type OwnSamplerOptions } from './sampler.js'
import { Shortfall } from './shortfall.js'

const none = -1
/**
 * `no_duplicates`: a batch never holds a text twice, in any columns. Made for losses that take the other rows of a batch as
 * negatives. Labels are not compared. Follows NoDuplicatesBatchSampler of sentence-transformers 6.2.0: every batch goes
 * through the remaining rows in shuffled order. Rows that overlap with the batch wait for later batches and keep their
 * order. Batches that cannot be filled are shorter. With `dropLast` short batches are left out, and further passes over the
 * rows make up the announced number of batches (see {@link Shortfall}).
 *
 * The reference checks every waiting row again in every batch. That is quadratic where rows share few texts (one of 77
 * class names, say). Here rows wait in groups by their most frequent text. A batch can take only one row of a group, so a
 * group that has given its row is skipped until the next batch, at no cost for its other rows.
 */
export class NoDuplicatesBatchSampler implements OwnBatchSampler {
  /** As in the reference, short batches come in addition. */
  readonly length: number
  private readonly rows: number
  private readonly columns: number
  /** Built when the first epoch begins. */
  private texts: NumberedTexts | undefined
  private readonly shortfall: Shortfall

  constructor(
    private readonly dataset: Dataset,
    private readonly options: OwnSamplerOptions,
  ) {
    this.length = batchCount(dataset.length, options)
    this.rows = dataset.length
    this.columns = dataset.textColumns.length
    this.shortfall = new Shortfall(this.length)
  }

  batches(epoch: number): AsyncGenerator<Int32Array, void, undefined> {
    return itemsInSlices(this.pieces(epoch))
  }

  *pieces(epoch: number): Pieces<Int32Array> {
    const { seed = 0, compat = false } = this.options
    this.texts ??= yield* numberTexts(this.dataset)
    const random = new Random(seed, epoch)
    let made = 0
    for (let pass = 0; this.shortfall.wantsPass(pass, made); pass++) {
      for (const batch of this.pass(this.texts, yield* shuffledRows(this.rows, random))) {
        yield batch
        if (batch === undefined) continue
        made++
        if (pass > 0 && made === this.length) return
      }
      // Version 6.0.1 stops here.
      if (compat) return
    }
  }

  /** Every row once. Rows that overlap wait for later batches. */
  private *pass({ textIds, groups, distinct }: NumberedTexts, order: Int32Array): Pieces<Int32Array> {
    const { batchSize, dropLast = false } = this.options
    // Every group is a linked list of positions in `order`.
    const head = new Int32Array(distinct).fill(none)
    const next = new Int32Array(this.rows)
    for (let position = this.rows - 1; position >= 0; position--) {
      const group = groups[order[position]!]!
      next[position] = head[group]!
      head[group] = position
      if (position % CHUNK_ROWS === 0) yield
    }
    /** First rows of the groups that this batch has not tried yet. */
    const untouched = new PositionHeap()
    // In rising order, so each goes to the end of the heap at once.
    for (let position = 0; position < this.rows; position++) {
      if (head[groups[order[position]!]!] === position) untouched.push(position)
      if (position % CHUNK_ROWS === 0) yield
    }

    // The last batch that took each text, and the position before the one that a group offers.
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
      /** Groups whose first rows overlap with the batch. */
      const further = new PositionHeap()
      while (size < batchSize && untouched.size + further.size > 0) {
        const isHead = untouched.peek() < further.peek()
        const position = isHead ? untouched.pop() : further.pop()
        const row = order[position]!
        const group = groups[row]!
        if (++looks % CHUNK_ROWS === 0) yield
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

function* numberTexts(dataset: Dataset): Pieces<never, NumberedTexts> {
  const columns = dataset.textColumns.length
  const { ids: textIds, numbers } = yield* numberValues(dataset, dataset.textColumns)
  const { counts } = numbers
  const groups = new Int32Array(dataset.length)
  for (let row = 0; row < dataset.length; row++) {
    let group = textIds[row * columns]!
    for (let c = 1; c < columns; c++) {
      const id = textIds[row * columns + c]!
      if (counts[id]! > counts[group]!) group = id
    }
    groups[row] = group
    if (row % CHUNK_ROWS === 0) yield
  }
  return { textIds, groups, distinct: counts.length }
}
