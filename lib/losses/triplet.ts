import type { LossSpec } from '../native/types.js'
import { checkFinite, checkOneOf } from '../options.js'
import { type LossArguments, lossOptions } from './arguments.js'
import type { Loss, LossRequirements } from './loss.js'

const DISTANCES = ['euclidean', 'cosine', 'manhattan'] as const
/** `cosine`: 1 − cosine. */
export type TripletDistanceMetric = (typeof DISTANCES)[number]

export interface TripletLossOptions {
  /** Default `euclidean`. */
  distanceMetric?: TripletDistanceMetric
  /** How much farther the negative shall be. Default 5, for euclidean distances; cosine distances end at 2. */
  tripletMargin?: number
}

/**
 * The anchor shall be closer to the positive than to the negative, by a margin.
 *
 * - **Data**: (anchor, positive, negative); no labels.
 * - **Formula**: mean of max(d(a, p) − d(a, n) + tripletMargin, 0).
 * - **Relations**: {@link MultipleNegativesRankingLoss} takes the same data, uses all rows of a batch as negatives, and is
 *   usually better; {@link BatchAllTripletLoss} and its kin make the triplets from labelled texts.
 * - An euclidean distance of 0 (two equal texts in a row) has the gradient 0; the rest of the row and of the batch trains.
 *
 * Paper: Hermans et al. 2017, https://arxiv.org/abs/1703.07737. Source: sentence-transformers `losses/TripletLoss`.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class TripletLoss implements Loss {
  readonly type = 'TripletLoss'
  readonly requirements: LossRequirements = { minColumns: 3, maxColumns: 3, labels: 'none' }
  readonly distanceMetric: TripletDistanceMetric
  readonly tripletMargin: number

  constructor(...args: LossArguments<TripletLossOptions>) {
    const options = lossOptions<TripletLossOptions>(this, args, ['distanceMetric', 'tripletMargin'])
    checkOneOf(`${this.type} distanceMetric`, options.distanceMetric, DISTANCES)
    checkFinite(`${this.type} tripletMargin`, options.tripletMargin)
    this.distanceMetric = options.distanceMetric ?? 'euclidean'
    this.tripletMargin = options.tripletMargin ?? 5
  }

  spec(): LossSpec {
    const { type, distanceMetric, tripletMargin } = this
    return { type, distanceMetric, tripletMargin }
  }
}
