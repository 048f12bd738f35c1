import { describe, invalidArgument, SentenceTorchError } from '../../errors.js'
import type { Dataset } from '../dataset.js'
import { Random } from '../random.js'
import { shuffledRows } from '../shuffled-rows.js'
import { itemsInSlices, type Pieces } from '../time-slice.js'
import type { OwnBatchSampler, OwnSamplerOptions } from './sampler.js'

/**
 * `group_by_label`: every batch holds at least two rows of at least two labels each, for losses that look for triplets in
 * the batch. Follows GroupByLabelBatchSampler of sentence-transformers 6.2.0. Rows are shuffled within their label. Labels
 * take turns and give two rows each, in a new order every round. The epoch ends when only one label is left. A label with
 * one row gives none. A label with an odd number of rows leaves out one row, a different one in every epoch. Where two
 * rounds share a batch, no label gives rows twice in a row.
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT for a batch size that is odd or below 4; ERR_INVALID_DATA without labels
 *   or with fewer than two labels of two rows
 */
export class GroupByLabelBatchSampler implements OwnBatchSampler {
  readonly length: number
  /** Row numbers of each label. */
  private readonly groups: readonly Int32Array[]

  constructor(
    dataset: Dataset,
    private readonly options: OwnSamplerOptions,
  ) {
    const { batchSize, dropLast, compat } = options
    if (batchSize < 4 || batchSize % 2 === 1) {
      throw invalidArgument('batchSize', 'an even number of at least 4 (for group_by_label)', batchSize)
    }
    const groups = groupRows(dataset)
    // Version 6.0.1 leaves out the same last row in every epoch.
    this.groups = compat ? groups.map((rows) => rows.slice(0, even(rows.length))) : groups
    // After the second largest label only one label is left, so the turns end.
    const pairs = groups.map((rows) => even(rows.length) / 2).sort((a, b) => b - a)
    const rows = 2 * pairs.reduce((sum, count) => sum + Math.min(count, pairs[1]!), 0)
    const rest = !dropLast && rows % batchSize >= 4 ? 1 : 0
    this.length = Math.floor(rows / batchSize) + rest
  }

  batches(epoch: number): AsyncGenerator<Int32Array, void, undefined> {
    return itemsInSlices(this.pieces(epoch))
  }

  *pieces(epoch: number): Pieces<Int32Array> {
    const { batchSize, dropLast = false, seed = 0, compat = false } = this.options
    const random = new Random(seed, epoch)
    const queues: Int32Array[] = []
    for (const rows of this.groups) {
      const order = yield* shuffledRows(rows.length, random)
      queues.push(order.subarray(0, even(rows.length)).map((i) => rows[i]!))
    }
    let labels = queues.map((_, label) => label)
    const batch: number[] = []
    /** The label that gave the last rows. */
    let last = -1
    // In version 6.0.1 a label may give rows twice in a row, so a batch of four may hold one label only.
    const parts = !compat || batchSize === 4
    for (let from = 0; labels.length >= 2; from += 2) {
      const order = random.permutation(labels.length)
      labels = Array.from(order, (i) => labels[i]!)
      if (parts && batch.length > 0 && labels[0] === last) labels.splice(0, 2, labels[1]!, labels[0]!)
      for (const label of labels) {
        batch.push(queues[label]![from]!, queues[label]![from + 1]!)
        last = label
        if (batch.length === batchSize) yield Int32Array.from(batch.splice(0))
      }
      labels = labels.filter((label) => queues[label]!.length > from + 2)
      yield
    }
    // Labels take turns, so four rows have at least two labels.
    if (!dropLast && batch.length >= 4) yield Int32Array.from(batch)
  }
}

function even(count: number): number {
  return count - (count % 2)
}

function groupRows(dataset: Dataset): Int32Array[] {
  const labels = dataset.labels()
  if (labels === undefined) {
    throw new SentenceTorchError(
      'ERR_INVALID_DATA',
      `group_by_label needs a label column named label, labels, score or scores; there is only ${dataset.columnNames.join(', ')}`,
    )
  }
  const groups = new Map<number, number[]>()
  for (let row = 0; row < labels.length; row++) {
    const label = labels[row]!
    if (typeof label !== 'number') {
      const column = dataset.labelColumn
      throw new SentenceTorchError(
        'ERR_INVALID_DATA',
        `Expected one number as label in column "${column}", row ${row}, found ${describe(label)} (for group_by_label)`,
      )
    }
    const rows = groups.get(label)
    if (rows) rows.push(row)
    else groups.set(label, [row])
  }
  const usable = [...groups.values()].filter((rows) => rows.length >= 2).map((rows) => Int32Array.from(rows))
  if (usable.length >= 2) return usable
  throw new SentenceTorchError(
    'ERR_INVALID_DATA',
    `group_by_label needs at least 2 labels with at least 2 rows each; of ${groups.size} labels ${usable.length} have them`,
  )
}
