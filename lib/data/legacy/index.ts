/**
 * Data classes of sentence-transformers before version 3, which many tutorials use. docs/data.md names their successors.
 */

export type { BatchColumns, BatchLoader } from './batch-loader.js'
export { ContrastiveTensionDataLoader, type ContrastiveTensionOptions } from './contrastive-tension.js'
export { DataLoader, type DataLoaderOptions, type LoaderBatch } from './data-loader.js'
export {
  DenoisingAutoEncoderDataset,
  type DenoisingOptions,
  deleteWords,
  type NoiseFunction,
} from './denoising.js'
export { examplesToDataset, InputExample, type InputExampleOptions } from './input-example.js'
export { NoDuplicatesDataLoader } from './no-duplicates-data-loader.js'
export {
  type ParallelDataOptions,
  ParallelSentencesDataset,
  type ParallelSentencesOptions,
  type Teacher,
} from './parallel-sentences.js'
export { SentenceLabelDataset, type SentenceLabelDatasetOptions } from './sentence-label-dataset.js'
export type { LegacyDataLoader, LegacyDataset, TrainingData } from './training-data.js'
