import type { LossSpec } from '../native/types.js'

/** What a loss asks of the dataset, checked over all rows before training starts. */
export interface LossRequirements {
  /** Fewest and most text columns that it takes. */
  minColumns: number
  maxColumns: number
  /** `none`: no label column is read; `float`: any finite number; `int`: whole numbers from 0 to `numLabels` - 1. */
  labels: 'none' | 'float' | 'int'
  /** Number of classes; only with `labels: 'int'`. */
  numLabels?: number
}

/**
 * A loss is a description: it holds no model and no tensor, so one object can serve any number of trainers. The formula
 * lives in native/losses, one file per loss, found by `type`.
 */
export interface Loss {
  /** Name in the native registry and in sentence-transformers: `CoSENTLoss`. */
  readonly type: string
  readonly requirements: LossRequirements
  /** What the native trainer is built from. `embeddingDimension`: width of the model's sentence embeddings. */
  spec(embeddingDimension: number): LossSpec
}
