/** Shared parts of losses that form triplets from labelled texts: one text and its class. */
import type { LossSpec } from '../native/types.js'
import { choice, number, type OptionTable } from '../options/kinds.js'
import { type LossArguments, lossOptions } from './arguments.js'
import type { Loss, LossRequirements } from './loss.js'

const DISTANCES = ['euclidean', 'cosine'] as const
/** `cosine`: 1 − cosine. */
export type BatchTripletDistance = (typeof DISTANCES)[number]

export interface BatchDistanceOptions {
  /** Distance of two embeddings. `cosine`: 1 − cosine. Default `euclidean`. */
  distanceMetric?: BatchTripletDistance
}

export interface BatchTripletLossOptions extends BatchDistanceOptions {
  /** How much farther than positives the negatives have to be. Cosine distances end at 2. Default 5. */
  margin?: number
}

export const BATCH_DISTANCE = {
  distanceMetric: choice(DISTANCES, 'euclidean'),
} satisfies OptionTable<BatchDistanceOptions>

export const BATCH_TRIPLETS = { ...BATCH_DISTANCE, margin: number(5) } satisfies OptionTable<BatchTripletLossOptions>

export abstract class BatchTriplets implements Loss {
  abstract readonly type: string
  readonly requirements: LossRequirements = { minColumns: 1, maxColumns: 1, labels: 'int', inBatchNegatives: true }
  readonly distanceMetric: BatchTripletDistance
  /** Undefined for the one without. */
  readonly margin: number | undefined

  constructor(
    table: typeof BATCH_DISTANCE & Partial<typeof BATCH_TRIPLETS>,
    args: LossArguments<BatchTripletLossOptions>,
  ) {
    const options = lossOptions(this, args, table)
    this.distanceMetric = options.distanceMetric
    this.margin = options.margin
  }

  spec(): LossSpec {
    const { type, distanceMetric, margin } = this
    return margin === undefined ? { type, distanceMetric } : { type, distanceMetric, margin }
  }
}
