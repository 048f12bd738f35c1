import type { LossSpec } from '../native/types.js'
import { checkFinite, checkOneOf } from '../options.js'
import { type LossArguments, lossOptions } from './arguments.js'
import type { Loss, LossRequirements } from './loss.js'

const DISTANCES = ['euclidean', 'cosine'] as const
/** `cosine`: 1 − cosine. */
export type BatchTripletDistance = (typeof DISTANCES)[number]

export interface BatchTripletLossOptions {
  /** Default `euclidean`. */
  distanceMetric?: BatchTripletDistance
  /** How much farther negatives shall be. Default 5, for euclidean distances; cosine distances end at 2. */
  margin?: number
}

/** What the losses share that make triplets from labelled texts: one text, its class, and a margin. */
export abstract class BatchTriplets implements Loss {
  abstract readonly type: string
  readonly requirements: LossRequirements = { minColumns: 1, maxColumns: 1, labels: 'int', inBatchNegatives: true }
  readonly distanceMetric: BatchTripletDistance
  /** Undefined for the one without. */
  readonly margin: number | undefined

  constructor(type: string, args: LossArguments<BatchTripletLossOptions>, withMargin = true) {
    const names = withMargin ? ['distanceMetric', 'margin'] : ['distanceMetric']
    const options = lossOptions<BatchTripletLossOptions>(this, args, names)
    checkOneOf(`${type} distanceMetric`, options.distanceMetric, DISTANCES)
    checkFinite(`${type} margin`, options.margin)
    this.distanceMetric = options.distanceMetric ?? 'euclidean'
    this.margin = withMargin ? (options.margin ?? 5) : undefined
  }

  spec(): LossSpec {
    const { type, distanceMetric, margin } = this
    return margin === undefined ? { type, distanceMetric } : { type, distanceMetric, margin }
  }
}
