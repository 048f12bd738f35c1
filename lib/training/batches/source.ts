// From datasets to batches of token ids: the first of the three files that a training step passes. The next is run/loop.ts.

import type { Dataset } from '../../data/dataset.js'
import {
  createFeed,
  type DataBatch,
  type DataFeed,
  type DataSource,
  isDataStream,
  isDataset,
  readsByRank,
  sourcesOf,
} from '../../data/feed.js'
import { prefetch } from '../../data/prefetch.js'
import { SentenceTorchError } from '../../errors.js'
import type { TrainingArguments } from '../arguments/arguments.js'
import type { NamesOfArguments } from '../arguments/check-names.js'
import type { Ranks } from '../distributed/ranks.js'
import type { Timings } from '../reporting/timings.js'
import type { AnyBatchMaker, BatchPosition, Position, TrainBatch } from './batch.js'
import type { LossSet, TrainableLoss } from './loss-set.js'

/** Data as batches of token ids. */
export interface BatchSource {
  /** Chooses the rows of every batch. */
  feed: DataFeed
  /** Makes a batch of them. */
  prepare(batch: DataBatch, position: BatchPosition): Promise<TrainBatch>
  /** Of several processes that read rows of their own: by which they agree on the end of an epoch. */
  ranks?: Pick<Ranks, 'exchange'> | undefined
}

/** One dataset of an evaluation. */
export interface EvaluationData {
  /** '' for a single one. */
  name: string
  source: BatchSource
  /** Unknown for a stream. */
  rows?: number | undefined
}

/** The tools that make the batches of a dataset. */
export interface BatchMakerParts<L> {
  loss: L
  /** Name of the dataset; '' for a single one. */
  dataset: string
  signal?: AbortSignal | undefined
  /** With `logTimings`: measures how long tokenising takes. */
  timings?: Timings | undefined
}

/** Which of several processes this is. */
type Place = Pick<Ranks, 'rank' | 'size' | 'exchange'>

export interface BatchSourcesParts<L> {
  /** The processes that share the rows of every training batch; absent: this one has them all. */
  ranks?: Place | undefined
  args: Readonly<TrainingArguments>
  losses: LossSet<L & TrainableLoss>
  names: NamesOfArguments
  signal: AbortSignal | undefined
  timings: Timings | undefined
  batchMaker(parts: BatchMakerParts<L>): AnyBatchMaker
  /** @throws ERR_INVALID_DATA @param which `trainDataset`, or `trainDataset.<name>` */
  checkDataset(dataset: Dataset, loss: L, which: string): void
  /** Called with the first batch of every stream. */
  onNewStream(which: 'trainDataset' | 'evalDataset', name: string, firstBatch: Dataset): Promise<void>
}

/** Turns the data of a trainer into batches. */
export class BatchSources<L> {
  readonly #parts: BatchSourcesParts<L>
  readonly #makers: AnyBatchMaker[] = []

  constructor(parts: BatchSourcesParts<L>) {
    this.#parts = parts
  }

  training(source: DataSource): BatchSource {
    return this.#source(source, 'trainDataset')
  }

  /** One entry per dataset. */
  evaluation(source: DataSource): EvaluationData[] {
    const isSingle = isDataset(source) || isDataStream(source)
    return sourcesOf(source).map(([name, dataset]) => ({
      name,
      source: this.#source(isSingle ? source : { [name]: dataset }, 'evalDataset'),
      rows: dataset.length,
    }))
  }

  /** Closes these tools. */
  async close(): Promise<void> {
    for (const maker of this.#makers) await maker.close?.()
  }

  #source(source: DataSource, which: 'trainDataset' | 'evalDataset'): BatchSource {
    const { args, losses, names, checkDataset, onNewStream } = this.#parts
    const isTraining = which === 'trainDataset'
    const ranks = isTraining ? this.#parts.ranks : undefined
    // Of all processes. Each takes its part of every batch, so several datasets stay in step.
    const batchSize = isTraining ? args.perDeviceTrainBatchSize * (ranks?.size ?? 1) : args.perDeviceEvalBatchSize
    // All makers are made now, because they read settings of the model when they are made.
    const makers = new Map(sourcesOf(source).map(([name]) => [name, this.#maker(name, isTraining)]))
    const begunStreams = new Set<string>()
    /** Streams are checked batch by batch; datasets were checked when the trainer was made. */
    const checkStream = async ({ name, dataset }: DataBatch) => {
      names.learn(which, name, dataset)
      checkDataset(dataset, losses.of(name), name === '' ? which : `${which}.${name}`)
      if (begunStreams.has(name)) return
      begunStreams.add(name)
      await onNewStream(which, name, dataset)
    }
    return {
      feed: createFeed(source, {
        batchSampler: samplersFor(source, args.batchSampler),
        multiDatasetBatchSampler: args.multiDatasetBatchSampler,
        batchSize,
        seed: args.dataSeed ?? args.seed,
        dropLast: args.dataloaderDropLast && isTraining,
        compat: args.compat !== null,
        part: ranks && { rank: ranks.rank, size: ranks.size },
      }),
      ranks: readsByRank(source) ? ranks : undefined,
      prepare: async (batch, position) => {
        const { name, dataset, rows, isPart = false } = batch
        const isStream = !isDataset(source) && (isDataStream(source) || isDataStream(source[name]))
        if (isStream) await checkStream(batch)
        const own = ranks === undefined || isPart ? rows : partOf(rows, ranks)
        const before = position.index * batchSize + (isPart ? ranks!.rank * rows.length : 0)
        const numbers = isStream ? own.map((row) => before + row) : undefined
        return {
          batch: await makers.get(name)!.make({ dataset, rows: own, numbers }, position),
          loss: losses.indexOf(name),
          weight: args.datasetWeights?.[name] ?? 1,
          rows: isPart ? rows.length * ranks!.size : rows.length,
        }
      },
    }
  }

  #maker(dataset: string, isTraining: boolean): AnyBatchMaker {
    const { losses, signal, timings, batchMaker } = this.#parts
    const maker = batchMaker({ loss: losses.of(dataset), dataset, signal, ...(isTraining && { timings }) })
    this.#makers.push(maker)
    return maker
  }
}

/** The rows of a batch that this process has. */
function partOf(rows: Int32Array, { rank, size }: Pick<Ranks, 'rank' | 'size'>): Int32Array {
  const own = rows.length / size
  if (Number.isInteger(own)) return rows.subarray(rank * own, (rank + 1) * own)
  const message = `The sampler made a batch of ${rows.length} rows, which ${size} processes cannot share equally`
  throw new SentenceTorchError('ERR_INVALID_DATA', message)
}

/** Rows of all datasets; undefined if one is a stream of unknown length. */
export function countRows(source: DataSource): number | undefined {
  const lengths = sourcesOf(source).map(([, { length }]) => length)
  return lengths.some((length) => length === undefined) ? undefined : lengths.reduce<number>((sum, n) => sum + n!, 0)
}

/** With batch samplers by dataset: those for the datasets of `source`. */
function samplersFor(
  source: DataSource,
  samplers: TrainingArguments['batchSampler'],
): TrainingArguments['batchSampler'] {
  if (typeof samplers !== 'object') return samplers
  const own = sourcesOf(source).flatMap(([name]) => (Object.hasOwn(samplers, name) ? [[name, samplers[name]!]] : []))
  return Object.fromEntries(own)
}

export interface GroupOptions {
  /** Batches per optimiser step. */
  size: number
  /**
   * Largest number of groups. A sampler that puts rows off may make more batches than it announced; as in transformers, the
   * schedule counts the announced ones.
   */
  most?: number
  /** Batches left out at the beginning, when a run is resumed. */
  skip?: number
}

/** The batches of one epoch in groups, one group per optimiser step. The last group may be smaller. */
export async function* batchGroups(
  { feed, prepare }: BatchSource,
  epoch: number,
  { size, most = Number.POSITIVE_INFINITY, skip = 0 }: GroupOptions,
): AsyncGenerator<TrainBatch[], void, undefined> {
  let group: TrainBatch[] = []
  let groups = Math.ceil(skip / size)
  let index = skip
  if (groups >= most) return
  for await (const batch of feed.batches(epoch, skip)) {
    group.push(await prepare(batch, { epoch, index: index++ }))
    if (group.length < size) continue
    yield group
    if (++groups >= most) return
    group = []
  }
  if (group.length > 0) yield group
}

/** The batches of an epoch from `start` on, one group per optimiser step. They are made two steps ahead. */
export function groupsAhead(
  source: BatchSource,
  { epoch, batches: skip }: Position,
  options: Omit<GroupOptions, 'skip'>,
  timings?: Timings,
): AsyncIterable<TrainBatch[]> {
  const groups = batchGroups(source, epoch, { ...options, skip })
  const ahead = timings ? timings.waiting(prefetch(timings.making(groups), 2)) : prefetch(groups, 2)
  return source.ranks === undefined ? ahead : inStep(ahead, source.ranks)
}

/** As many batches as all processes have: who has read all its rows ends the epoch for all. */
async function* inStep(
  groups: AsyncIterable<TrainBatch[]>,
  ranks: Pick<Ranks, 'exchange'>,
): AsyncGenerator<TrainBatch[], void, undefined> {
  const iterator = groups[Symbol.asyncIterator]()
  try {
    for (;;) {
      const { done, value } = await iterator.next()
      const own = done ? [] : value
      const most = Math.min(...(await ranks.exchange(own.length)))
      if (most === 0) return
      yield own.slice(0, most)
    }
  } finally {
    await iterator.return?.()
  }
}
