import type { DataBatch, DataFeed } from '../../data/feed.js'
import type { PackedBatch } from '../../native/types.js'
import type { ComputedStep } from '../run/computed-loss.js'

/** A batch as the engine takes it. */
export interface TrainBatch {
  batch: PackedBatch
  /** Which of the trainer's losses. */
  loss: number
  /** Factor of this batch's loss in the gradient. */
  weight: number
  /** Rows of the dataset. */
  rows: number
  /** Set when the loss is computed in TypeScript. */
  computed?: ComputedStep | undefined
}

/** Where in the run a batch is: what random choices about it are drawn from. */
export interface BatchPosition {
  epoch: number
  /** Number of the batch in its epoch. */
  index: number
}

/** Data as batches of token ids. */
export interface BatchSource {
  feed: DataFeed
  prepare(batch: DataBatch, position: BatchPosition): Promise<TrainBatch>
}

export interface GroupOptions {
  /** Batches per optimiser step. */
  size: number
  /** Groups at most: a sampler that puts rows off may come to more batches than it announced, and the schedule counts the
   *  announced ones (as transformers does). */
  most?: number
  /** Batches left out at the beginning, when a run is resumed. */
  skip?: number
}

/** The batches of one epoch in groups, one group per optimiser step; the last may be smaller. */
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
