import type { Dataset } from '../dataset.js'

/** Decides which rows make up each batch of an epoch. */
export interface BatchSampler {
  /** Row numbers of each batch, lazily. The same epoch gives the same batches, another epoch others. */
  batches(epoch: number): Iterable<Int32Array>
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
