import { describe, invalidArgument, SentenceTorchError } from '../../errors.js'
import type { Dataset } from '../dataset.js'
import { Random } from '../random.js'
import { Turns } from '../turns.js'
import { CHUNK_ROWS } from '../value-numbers.js'
import type { BatchSampler, SamplerOptions } from './sampler.js'

/**
 * `group_by_label`: every batch holds at least two rows of at least two labels each, for losses that look for triplets in
 * the batch. Follows GroupByLabelBatchSampler of sentence-transformers 6.0.1: rows are shuffled within their label, labels
 * take turns in giving two rows, in another order every round; when only one label is left the epoch is over. Labels with one
 * row give none, labels with an odd number of rows leave the last one out. Unlike there the seed counts, and a batch of four
 * never holds one label only (there it can, where two rounds meet).
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT for a batch size that is odd or below 4; ERR_INVALID_DATA without labels
 *   or with fewer than two labels of two rows
 */
export class GroupByLabelBatchSampler implements BatchSampler {
  readonly length: number
  /** Row numbers of each label, an even number of them. */
  private readonly groups: readonly Int32Array[]

  constructor(
    dataset: Dataset,
    private readonly options: SamplerOptions,
  ) {
    const { batchSize, dropLast } = options
    if (batchSize < 4 || batchSize % 2 === 1) {
      throw invalidArgument('batchSize', 'an even number of at least 4 (for group_by_label)', batchSize)
    }
    this.groups = groupRows(dataset)
    // The turns end with the second largest label: then only one is left.
    const pairs = this.groups.map((rows) => rows.length / 2).sort((a, b) => b - a)
    const rows = 2 * pairs.reduce((sum, count) => sum + Math.min(count, pairs[1]!), 0)
    const rest = !dropLast && rows % batchSize >= 4 ? 1 : 0
    this.length = Math.floor(rows / batchSize) + rest
  }

  async *batches(epoch: number): AsyncGenerator<Int32Array, void, undefined> {
    const { batchSize, dropLast = false, seed = 0 } = this.options
    const random = new Random(seed, epoch)
    const turns = new Turns()
    const queues: Int32Array[] = []
    for (const rows of this.groups) {
      const order = await shuffled(random, rows.length, turns)
      queues.push(order.map((i) => rows[i]!))
    }
    let labels = queues.map((_, label) => label)
    const batch: number[] = []
    /** The label that gave rows last. */
    let open = -1
    for (let from = 0; labels.length >= 2; from += 2) {
      const order = random.permutation(labels.length)
      labels = Array.from(order, (i) => labels[i]!)
      // Where the reference would fill a batch of four with one label.
      if (batchSize === 4 && batch.length > 0 && labels[0] === open) labels.splice(0, 2, labels[1]!, labels[0]!)
      for (const label of labels) {
        batch.push(queues[label]![from]!, queues[label]![from + 1]!)
        open = label
        if (batch.length === batchSize) yield Int32Array.from(batch.splice(0))
      }
      labels = labels.filter((label) => queues[label]!.length > from + 2)
      if (turns.isOver) await turns.give()
    }
    // By the turns four rows are of two labels at least.
    if (!dropLast && batch.length >= 4) yield Int32Array.from(batch)
  }
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
  const usable = [...groups.values()]
    .filter((rows) => rows.length >= 2)
    .map((rows) => Int32Array.from(rows.slice(0, rows.length - (rows.length % 2))))
  if (usable.length >= 2) return usable
  throw new SentenceTorchError(
    'ERR_INVALID_DATA',
    `group_by_label needs at least 2 labels with at least 2 rows each; of ${groups.size} labels ${usable.length} have them`,
  )
}

/** `random.permutation(length)`, without keeping the event loop. */
async function shuffled(random: Random, length: number, turns: Turns): Promise<Int32Array> {
  const order = Int32Array.from({ length }, (_, i) => i)
  for (let end = length; end > 1; end -= CHUNK_ROWS) {
    random.shuffle(order, end, Math.max(1, end - CHUNK_ROWS))
    if (turns.isOver) await turns.give()
  }
  return order
}
