import type { Dataset } from '../dataset.js'
import type { BatchSamplerChoice } from '../samplers/index.js'
import type { DataStream } from '../stream.js'

/** What a trainer takes from an old data loader: its rows, their grouping into batches, and the batch size. */
export interface TrainingData {
  data: Dataset | DataStream
  batchSampler: BatchSamplerChoice
  batchSize: number
}

/** A data loader of sentence-transformers before version 3, as `fit({ trainObjectives: [[loader, loss]] })` takes it. */
export interface LegacyDataLoader {
  toTrainingData(): TrainingData
}

/** A dataset of sentence-transformers before version 3, as a `DataLoader` takes it. */
export interface LegacyDataset {
  /** @param shuffle the `DataLoader`'s option */
  toTrainingData(batchSize: number, shuffle: boolean): TrainingData
}
