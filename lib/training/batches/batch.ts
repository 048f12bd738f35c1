import type { Dataset } from '../../data/dataset.js'
import type { PackedBatch } from '../../native/types.js'

/** Rows of one dataset that become a batch. */
export interface Rows {
  dataset: Dataset
  rows: Int32Array
  /** For a stream, where `rows` start at 0 in every batch: numbers of the rows that are unique in the epoch. */
  numbers?: ArrayLike<number> | undefined
}

/** Where a batch is in the run. Random choices about a batch are drawn from it. */
export interface BatchPosition {
  epoch: number
  /** Number of the batch in its epoch. */
  index: number
}

/** The progress of a run. A resumed run continues from here. */
export interface Position {
  epoch: number
  /** Batches of the epoch that were trained on. */
  batches: number
}

/** A batch as the engine takes it. */
export interface TrainBatch {
  batch: PackedBatch
  /** Number of its loss among the trainer's losses. */
  loss: number
  /** Factor of this batch's loss in the gradient. */
  weight: number
  /** Rows of the dataset. */
  rows: number
}

/** Makes the batches of one dataset: rows to token ids. */
export interface AnyBatchMaker {
  make(rows: Rows, position: BatchPosition): Promise<PackedBatch>
  /** Closes open files. No batch is requested afterwards. */
  close?(): Promise<void>
}
