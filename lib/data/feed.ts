import { invalidArgument, SentenceTorchError, suggestion } from '../errors.js'
import { checkInteger, checkOptions, checkType } from '../options.js'
import { Dataset } from './dataset.js'
import { Random } from './random.js'
import { type BatchSamplerChoice, checkBatchSampler, createBatchSampler } from './samplers/index.js'
import { createMultiDatasetSampler, type MultiDatasetBatchSamplerChoice } from './samplers/multi-dataset.js'
import { batchCount } from './samplers/sampler.js'
import { DataStream, type StreamPart } from './stream.js'
import { streamBatches } from './stream-batches.js'

export type { MultiDatasetBatchSamplerChoice, MultiDatasetBatchSamplerName } from './samplers/multi-dataset.js'

/** Rows of one batch, all of one dataset. */
export interface DataBatch {
  /** The dataset's name; '' for a single dataset. */
  name: string
  /** The dataset itself, the same object in every batch. For a stream, a small dataset of just this batch's rows. */
  dataset: Dataset
  /** Row numbers in `dataset`. */
  rows: Int32Array
  /** Of a stream by rank: whether the rows are a part of a batch, that of this process. */
  isPart?: boolean
}

/** The source of a run's batches: one dataset or several, in memory or streamed. */
export interface DataFeed {
  /** Batches per epoch, as the schedule counts them. Undefined when unknown (a stream): maxSteps is needed then. */
  readonly length: number | undefined
  /**
   * The batches of an epoch. The same epoch gives the same batches.
   * @param skip number of batches to leave out at the start without making them, to resume a run in the middle of an epoch
   */
  batches(epoch: number, skip?: number): AsyncIterable<DataBatch>
}

/** Whether processes that share `source` read different rows, so that one of them may end before the others. */
export function readsByRank(source: DataSource): boolean {
  return sourcesOf(source).some(([, data]) => isDataStream(data) && data.byRank)
}

/** Training data: one dataset or stream, or several by name. */
export type DataSource = Dataset | DataStream | Readonly<Record<string, Dataset | DataStream>>

export interface FeedOptions {
  /** One for all datasets, or one by name (a dataset without an entry has `batch_sampler`). Default `batch_sampler`. */
  batchSampler?: BatchSamplerChoice | Readonly<Record<string, BatchSamplerChoice>>
  /** Default `proportional`. */
  multiDatasetBatchSampler?: MultiDatasetBatchSamplerChoice
  /** Rows per batch, at least 1. */
  batchSize: number
  /** Default 0. */
  seed?: number
  /** Leave out batches with fewer rows. Default false. */
  dropLast?: boolean
  /**
   * Sample as sentence-transformers 6.0.1 does: `no_duplicates` and `group_by_label` have one order for all seeds, and
   * among several datasets also one for all epochs. With `dropLast`, `no_duplicates` may make fewer batches than it
   * announces, and `group_by_label` always leaves out the same odd rows. Default false.
   */
  compat?: boolean
  /** Which of several processes makes these batches. Of streams by rank it reads its part alone. */
  part?: StreamPart | undefined
}

/**
 * The feed of `source`. The batches of an epoch are a pure function of the data, the options and the epoch.
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT for options that do not fit, and what the samplers throw
 */
export function createFeed(source: DataSource, options: FeedOptions): DataFeed {
  const known = ['batchSampler', 'multiDatasetBatchSampler', 'batchSize', 'seed', 'dropLast', 'compat', 'part']
  checkOptions('createFeed', options, known)
  const { batchSize, seed = 0 } = options
  checkInteger('batchSize', batchSize ?? null, 1)
  checkInteger('seed', seed, 0)
  checkType('dropLast', options.dropLast, 'boolean')
  checkType('compat', options.compat, 'boolean')
  const sources = sourcesOf(source)
  checkSamplers(options, sources)
  const byRank = sources.find(([, data]) => partOf(data, options) !== undefined)?.[0]
  if (byRank && options.multiDatasetBatchSampler !== 'round_robin') {
    const expected = `round_robin with the stream ${byRank}, of which one process may have fewer batches than another`
    throw invalidArgument('multiDatasetBatchSampler', expected, options.multiDatasetBatchSampler ?? 'proportional')
  }
  const [single] = sources
  if (single && single[0] === '') return feedOf(...single, seed, options)
  // Each has its own seed, so that datasets of equal length have different orders.
  const feeds = sources.map(([name, data], i) => feedOf(name, data, new Random(seed, i).nextUint32(), options))
  return joinFeeds(
    sources.map(([name]) => name),
    feeds,
    options,
  )
}

export function isDataset(value: unknown): value is Dataset {
  return value instanceof Dataset
}

export function isDataStream(value: unknown): value is DataStream {
  return value instanceof DataStream
}

/** The datasets and streams of `source` with their names; a single one is called ''. */
export function sourcesOf(source: DataSource): (readonly [string, Dataset | DataStream])[] {
  if (isDataset(source) || isDataStream(source)) return [['', source]]
  const expected = 'a Dataset, a DataStream or an object of them by name'
  if (typeof source !== 'object' || source === null || Array.isArray(source))
    throw invalidArgument('the dataset', expected, source)
  const entries = Object.entries(source)
  for (const [name, data] of entries) {
    if (name === '') throw invalidArgument('the name of a dataset', 'a text that is not empty', name)
    if (!isDataset(data) && !isDataStream(data)) throw invalidArgument(`dataset ${name}`, expected, data)
  }
  if (entries.length === 0) throw invalidArgument('the dataset', expected, source)
  return entries
}

/** The batch sampler that the options name for the dataset `name`. */
function samplerOf(name: string, { batchSampler = 'batch_sampler' }: FeedOptions): BatchSamplerChoice {
  if (typeof batchSampler !== 'object') return batchSampler
  return (Object.hasOwn(batchSampler, name) && batchSampler[name]) || 'batch_sampler'
}

function checkSamplers({ batchSampler }: FeedOptions, sources: readonly (readonly [string, unknown])[]): void {
  if (batchSampler === undefined) return
  if (typeof batchSampler !== 'object' || batchSampler === null) {
    checkBatchSampler(batchSampler)
    return
  }
  const names = sources.map(([name]) => name)
  for (const [name, choice] of Object.entries(batchSampler)) {
    checkBatchSampler(choice)
    if (names.includes(name)) continue
    const close = suggestion(name, names)
    throw new SentenceTorchError(
      'ERR_INVALID_ARGUMENT',
      `batchSampler names the dataset ${JSON.stringify(name)}, but ` +
        (names[0] === '' ? 'there is one dataset without a name' : `there are ${names.join(', ')}`) +
        (close ? `; did you mean ${close}?` : ''),
    )
  }
}

/** Samplers without a seed in sentence-transformers 6.0.1, and among several datasets also without an epoch. */
const FORGETFUL: readonly BatchSamplerChoice[] = ['no_duplicates', 'no_duplicates_hashed', 'group_by_label']

function feedOf(name: string, data: Dataset | DataStream, seed: number, options: FeedOptions): DataFeed {
  const { batchSize, dropLast = false } = options
  const choice = samplerOf(name, options)
  const forgets = options.compat === true && FORGETFUL.includes(choice)
  const samplerOptions = { batchSize, seed: forgets ? 0 : seed, dropLast, compat: options.compat === true }
  if (isDataStream(data)) {
    const part = partOf(data, options)
    const own = part === undefined ? samplerOptions : { ...samplerOptions, batchSize: batchSize / part.size }
    const batches = streamBatches(data, choice, own, part)
    return {
      length: data.length === undefined ? undefined : batchCount(data.length, samplerOptions),
      async *batches(epoch, skip = 0) {
        for await (const dataset of batches(epoch, skip)) {
          const rows = Int32Array.from({ length: dataset.length }, (_, i) => i)
          yield { name, dataset, rows, ...(part && { isPart: true }) }
        }
      },
    }
  }
  const sampler = createBatchSampler(choice, data, samplerOptions)
  return {
    length: sampler.length,
    async *batches(epoch, skip = 0) {
      let left = skip
      for await (const rows of sampler.batches(forgets && name !== '' ? 0 : epoch)) {
        if (left-- <= 0) yield { name, dataset: data, rows }
      }
    },
  }
}

/** Of a stream by rank: the rows that this process reads, where there are several. */
function partOf(data: Dataset | DataStream, { part }: FeedOptions): StreamPart | undefined {
  return isDataStream(data) && data.byRank && part !== undefined && part.size > 1 ? part : undefined
}

/** Several datasets as one. Every batch comes from one of them. */
function joinFeeds(names: readonly string[], feeds: readonly DataFeed[], options: FeedOptions): DataFeed {
  const { multiDatasetBatchSampler = 'proportional', seed = 0 } = options
  const lengths = feeds.map(({ length }) => length)
  const sampler = createMultiDatasetSampler(multiDatasetBatchSampler, lengths, { names, seed })
  return {
    length: sampler.length,
    async *batches(epoch, skip = 0) {
      const iterators = feeds.map((feed) => feed.batches(epoch)[Symbol.asyncIterator]())
      const ended = feeds.map(() => false)
      let left = skip
      try {
        for (const dataset of sampler.order(epoch)) {
          if (ended[dataset]) continue
          const { done, value } = await iterators[dataset]!.next()
          if (done) {
            ended[dataset] = true
            if (sampler.stopsAtFirstEnd || ended.every(Boolean)) return
          } else if (left-- <= 0) yield value
        }
      } finally {
        await Promise.all(iterators.map((iterator) => iterator.return?.()))
      }
    },
  }
}
