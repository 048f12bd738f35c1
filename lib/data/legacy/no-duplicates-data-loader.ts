import { checkInteger } from '../../options.js'
import { Dataset } from '../dataset.js'
import { type BatchSamplerFactory, createBatchSampler } from '../samplers/index.js'
import { BatchLoader } from './batch-loader.js'
import { examplesToDataset, type InputExample } from './input-example.js'
import type { TrainingData } from './training-data.js'

/**
 * Batches without a repeated text, for MultipleNegativesRankingLoss. Texts that differ only in case and outer space count
 * as the same. Only full batches: `length` of them, or fewer if the texts do not fill them. A loop over it gives lists of
 * InputExamples. Today: `batchSampler: 'no_duplicates'`.
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
