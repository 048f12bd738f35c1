import { SentenceTorchError } from '../../errors.js'
import { Dataset } from '../dataset.js'
import { createFeed } from '../feed.js'
import type { Plain } from '../row-types.js'
import { createBatchSampler } from '../samplers/index.js'
import type { OwnBatchSampler } from '../samplers/sampler.js'
import { InputExample } from './input-example.js'
import type { LegacyDataLoader, TrainingData } from './training-data.js'

/** The columns of a batch, by name. */
export type BatchColumns<Row> = { [Name in keyof Plain<Row>]: Row[Name][] }

/**
 * A loader with readable batches: `for (const batch of loader)`, or `for await`, which lets the event loop run and is
 * needed for streams. Every loop is a new epoch.
 */
export abstract class BatchLoader<Batch> implements LegacyDataLoader {
  #epoch = 0

  /** Batches of an epoch; undefined for a stream of unknown length. */
  get length(): number | undefined {
    const { data, batchSampler, batchSize } = this.toTrainingData()
    return createFeed(data, { batchSampler, batchSize }).length
  }

  abstract toTrainingData(): TrainingData

  /** @param rows of `dataset` */
  protected abstract toBatch(dataset: Dataset, rows: Int32Array): Batch

  *[Symbol.iterator](): Generator<Batch, void, undefined> {
    const { data, batchSampler, batchSize } = this.toTrainingData()
    if (!(data instanceof Dataset)) {
      throw new SentenceTorchError(
        'ERR_INVALID_ARGUMENT',
        `Expected "for await" for the batches of a ${this.constructor.name} whose rows are streamed, found "for"`,
      )
    }
    // The loaders choose among the samplers of this package.
    const sampler = createBatchSampler(batchSampler, data, { batchSize }) as OwnBatchSampler
    for (const rows of sampler.pieces(this.#epoch++)) if (rows !== undefined) yield this.toBatch(data, rows)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Batch, void, undefined> {
    const { data, batchSampler, batchSize } = this.toTrainingData()
    const feed = createFeed(data, { batchSampler, batchSize })
    for await (const { dataset, rows } of feed.batches(this.#epoch++)) yield this.toBatch(dataset, rows)
  }
}

/** Rows as the examples of older versions. */
export function toExamples(dataset: Dataset, rows: Int32Array): InputExample[] {
  const { textColumns } = dataset
  const labels = dataset.labels()
  return Array.from(rows, (row) => {
    const texts = textColumns.map((name) => dataset.texts(name)[row]!)
    return new InputExample({ texts, ...(labels && { label: labels[row]! }) })
  })
}

/** Rows as PyTorch collates them: a list for every column. */
export function toColumns(dataset: Dataset, rows: Int32Array): BatchColumns<Record<string, unknown>> {
  return Object.fromEntries(
    dataset.columnNames.map((name) => {
      const values = dataset.column(name)
      return [name, Array.from(rows, (row) => values[row])]
    }),
  )
}
