import { invalidArgument, SentenceTorchError } from '../errors.js'
import { Dataset } from './dataset.js'
import { type BatchSamplerChoice, createBatchSampler } from './samplers/index.js'
import { DataStream } from './stream.js'

/** Rows of one batch, all of one dataset. */
export interface DataBatch {
  /** The dataset's name; '' for a single dataset. */
  name: string
  /** The dataset itself, the same object in every batch; for a stream a small one that holds just the rows of this batch. */
  dataset: Dataset
  /** Row numbers in `dataset`. */
  rows: Int32Array
}

/** Where a run gets its batches from, one dataset or several, in memory or streamed. */
export interface DataFeed {
  /** Batches per epoch as the schedule counts them; undefined when unknown (a stream): then maxSteps is needed. */
  readonly length: number | undefined
  /**
   * The batches of an epoch; the same epoch gives the same batches.
   * @param skip leaves out the first so many batches without making them, to resume a run in the middle of an epoch
   */
  batches(epoch: number, skip?: number): AsyncIterable<DataBatch>
}

/** What can be trained on: one dataset or stream, or several by name. */
export type DataSource = Dataset | DataStream | Readonly<Record<string, Dataset | DataStream>>

/** In which order the batches of several datasets come. */
export type MultiDatasetBatchSamplerName = 'proportional' | 'round_robin'

export interface FeedOptions {
  /** One for all datasets, or one by name (a dataset without one has `batch_sampler`). Default `batch_sampler`. */
  batchSampler?: BatchSamplerChoice | Readonly<Record<string, BatchSamplerChoice>>
  /** Default `proportional`. */
  multiDatasetBatchSampler?: MultiDatasetBatchSamplerName
  /** Rows per batch, at least 1. */
  batchSize: number
  /** Default 0. */
  seed?: number
  /** Leave out batches with fewer rows. Default false. */
  dropLast?: boolean
}

/**
 * The feed of `source`. The batches of an epoch are a pure function of the data, the options and the epoch.
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT for options that do not fit
 */
export function createFeed(source: DataSource, options: FeedOptions): DataFeed {
  if (isDataset(source)) return datasetFeed('', source, samplerOf('', options), options)
  if (isDataStream(source)) throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', 'Streams are not built yet')
  if (typeof source !== 'object' || source === null)
    throw invalidArgument('source', 'a Dataset, a DataStream or an object of them', source)
  throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', 'Several datasets at once are not built yet')
}

export function isDataset(value: unknown): value is Dataset {
  return value instanceof Dataset
}

export function isDataStream(value: unknown): value is DataStream {
  return value instanceof DataStream
}

function samplerOf(name: string, { batchSampler = 'batch_sampler' }: FeedOptions): BatchSamplerChoice {
  if (typeof batchSampler !== 'object') return batchSampler
  return batchSampler[name] ?? 'batch_sampler'
}

function datasetFeed(name: string, dataset: Dataset, choice: BatchSamplerChoice, options: FeedOptions): DataFeed {
  const { batchSize, seed = 0, dropLast = false } = options
  const sampler = createBatchSampler(choice, dataset, { batchSize, seed, dropLast })
  return {
    length: sampler.length,
    async *batches(epoch, skip = 0) {
      let left = skip
      for await (const rows of sampler.batches(epoch)) {
        if (left-- > 0) continue
        yield { name, dataset, rows }
      }
    },
  }
}
