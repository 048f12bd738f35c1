import { checkInteger, checkOptions, checkType } from '../../options.js'
import { Dataset } from '../dataset.js'
import { DataStream } from '../stream.js'
import { examplesToDataset, type InputExample } from './input-example.js'
import type { LegacyDataLoader, LegacyDataset, TrainingData } from './training-data.js'

export interface DataLoaderOptions {
  /** Rows per batch. Default 1. */
  batchSize?: number
  /** In an order of its own every epoch. Default false. */
  shuffle?: boolean
}

/**
 * Stands where tutorials have PyTorch's `DataLoader`: rows, their order and the size of a batch, for
 * `model.fit({ trainObjectives: [[new DataLoader(examples, { shuffle: true, batchSize: 16 }), loss]] })`.
 */
export class DataLoader implements LegacyDataLoader {
  readonly dataset: Dataset | DataStream | LegacyDataset
  readonly batchSize: number
  readonly shuffle: boolean

  /** @param dataset InputExamples, a Dataset, a DataStream, or one of the legacy datasets */
  constructor(
    dataset: readonly InputExample[] | Dataset | DataStream | LegacyDataset,
    options: DataLoaderOptions = {},
  ) {
    checkOptions('DataLoader', options, ['batchSize', 'shuffle'])
    const { batchSize = 1, shuffle = false } = options
    checkInteger('batchSize', batchSize, 1)
    checkType('shuffle', shuffle, 'boolean')
    const isOwn = typeof (dataset as LegacyDataset | undefined)?.toTrainingData === 'function'
    const isRows = dataset instanceof Dataset || dataset instanceof DataStream || isOwn
    this.dataset = isRows
      ? (dataset as Dataset | DataStream | LegacyDataset)
      : examplesToDataset(dataset as readonly InputExample[])
    this.batchSize = batchSize
    this.shuffle = shuffle
  }

  toTrainingData(): TrainingData {
    const { dataset, batchSize, shuffle } = this
    if (!(dataset instanceof Dataset || dataset instanceof DataStream)) {
      return dataset.toTrainingData(batchSize, shuffle)
    }
    return { data: dataset, batchSampler: shuffle ? 'batch_sampler' : 'sequential', batchSize }
  }
}
