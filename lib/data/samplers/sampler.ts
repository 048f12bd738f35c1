import type { Dataset } from '../dataset.js'
import { Random } from '../random.js'
import type { Turns } from '../turns.js'

/** Decides which rows make up each batch of an epoch. */
export interface BatchSampler {
  /**
   * Row numbers of each batch, lazily, without keeping the event loop for long. The same epoch gives the same batches,
   * another epoch others.
   */
  batches(epoch: number): AsyncIterable<Int32Array>
  /** Batches per epoch as the schedule counts them; an upper bound where rows may be put off (`no_duplicates`). */
  readonly length: number
}

export interface SamplerOptions {
  /** Rows per batch, at least 1. */
  batchSize: number
  /** Leave out batches with fewer rows. Default false. */
  dropLast?: boolean
  /** Default 0. */
  seed?: number
}

export type BatchSamplerFactory = (dataset: Dataset, options: SamplerOptions) => BatchSampler

/** Batches of `batchSize` in `rows` rows: rounded down with `dropLast`, up without. */
export function batchCount(rows: number, { batchSize, dropLast }: SamplerOptions): number {
  return dropLast ? Math.floor(rows / batchSize) : Math.ceil(rows / batchSize)
}

/** Rows that are shuffled in about a millisecond, at most. */
const CHUNK_ROWS = 16_384

/** The rows 0 … `rows` − 1 in the order of `new Random(seed, epoch).permutation(rows)`. */
export async function shuffledRows(rows: number, seed: number, epoch: number, turns: Turns): Promise<Int32Array> {
  const random = new Random(seed, epoch)
  const order = new Int32Array(rows)
  for (let row = 0; row < rows; row++) order[row] = row
  for (let end = rows; end > 1; end -= CHUNK_ROWS) {
    random.shuffle(order, end, Math.max(1, end - CHUNK_ROWS))
    await turns.give()
  }
  return order
}
