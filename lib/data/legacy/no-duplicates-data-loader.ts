import { checkInteger } from '../../options.js'
import { Dataset } from '../dataset.js'
import { type BatchSamplerFactory, createBatchSampler } from '../samplers/index.js'
import { examplesToDataset, type InputExample } from './input-example.js'
import type { LegacyDataLoader, TrainingData } from './training-data.js'

/**
 * Batches in which no text comes twice, for MultipleNegativesRankingLoss; texts count as the same that differ only in case
 * and in space around them. Only full batches. Nowadays: `batchSampler: 'no_duplicates'`.
 * Source: `sentence_transformers/sentence_transformer/datasets/no_duplicates_dataloader.py`.
 */
export class NoDuplicatesDataLoader implements LegacyDataLoader {
  readonly dataset: Dataset
  readonly batchSize: number

  constructor(trainExamples: readonly InputExample[], batchSize: number) {
    checkInteger('batchSize', batchSize ?? null, 1)
    this.dataset = examplesToDataset(trainExamples)
    this.batchSize = batchSize
  }

  toTrainingData(): TrainingData {
    const { dataset, batchSize } = this
    return { data: dataset, batchSampler: ignoringCase, batchSize }
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
