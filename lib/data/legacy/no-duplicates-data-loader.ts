import { checkInteger } from '../../options.js'
import { Dataset } from '../dataset.js'
import { type BatchSamplerFactory, createBatchSampler } from '../samplers/index.js'
import { BatchLoader } from './batch-loader.js'
import { examplesToDataset, type InputExample } from './input-example.js'
import type { TrainingData } from './training-data.js'

/**
 * Batches in which no text comes twice, for MultipleNegativesRankingLoss; texts count as the same that differ only in case
 * and in space around them. Only full batches, as many as `length` says as far as the texts fill them. A loop over it gives
 * lists of InputExamples. Nowadays: `batchSampler: 'no_duplicates'`.
 * Source: `sentence_transformers/sentence_transformer/datasets/no_duplicates_dataloader.py`.
 */
export class NoDuplicatesDataLoader extends BatchLoader<InputExample[]> {
  readonly dataset: Dataset
  readonly batchSize: number
  readonly #examples: readonly InputExample[]

  constructor(trainExamples: readonly InputExample[], batchSize: number) {
    super()
    checkInteger('batchSize', batchSize ?? null, 1)
    this.dataset = examplesToDataset(trainExamples)
    this.#examples = [...trainExamples]
    this.batchSize = batchSize
  }

  /** Batches of an epoch: rows divided by the batch size, rounded down. */
  override get length(): number {
    return Math.floor(this.dataset.length / this.batchSize)
  }

  toTrainingData(): TrainingData {
    const { dataset, batchSize } = this
    return { data: dataset, batchSampler: ignoringCase, batchSize }
  }

  protected toBatch(_: Dataset, rows: Int32Array): InputExample[] {
    return Array.from(rows, (row) => this.#examples[row]!)
  }
}

const ignoringCase: BatchSamplerFactory = (dataset, options) => {
  const columns = dataset.textColumns.map((name) => [
    name,
    dataset.texts(name).map((text) => text.trim().toLowerCase()),
  ])
  const plain = Dataset.fromColumns(Object.fromEntries(columns), { columns: dataset.textColumns })
  return createBatchSampler('no_duplicates', plain, { ...options, dropLast: true })
}
