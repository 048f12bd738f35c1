import type { Dataset } from '../dataset.js'
import type { Pieces } from '../time-slice.js'

/** Decides which rows make up each batch of an epoch. */
export interface BatchSampler {
  /**
   * Row numbers of each batch, made lazily and without blocking the event loop for long. The same epoch gives the same
   * batches. Another epoch gives others.
   */
  batches(epoch: number): AsyncIterable<Int32Array>
  /** Batches per epoch, as the schedule counts them. More may come where rows wait for later batches (`no_duplicates`). */
  readonly length: number
}

/** A sampler of this package, whose batches also come synchronously. */
export interface OwnBatchSampler extends BatchSampler {
  pieces(epoch: number): Pieces<Int32Array>
}

export interface SamplerOptions {
  /** Rows per batch, at least 1. */
  batchSize: number
  /** Leave out batches with fewer rows. Default false. */
  dropLast?: boolean
  /** Default 0. */
  seed?: number
}

export interface OwnSamplerOptions extends SamplerOptions {
  /** Choose the rows that sentence-transformers 6.0.1 chooses, where 6.2.0 chooses others. Default false. */
  compat?: boolean
}

export type BatchSamplerFactory = (dataset: Dataset, options: SamplerOptions) => BatchSampler

/** Batches of `batchSize` in `rows` rows: rounded down with `dropLast`, up without. */
export function batchCount(rows: number, { batchSize, dropLast }: SamplerOptions): number {
  return dropLast ? Math.floor(rows / batchSize) : Math.ceil(rows / batchSize)
}
