import type { LossSpec } from '../native/types.js'
import { checkFinite, checkOneOf } from '../options.js'
import { type LossArguments, lossOptions } from './arguments.js'
import { SIAMESE_DISTANCES, type SiameseDistanceMetric } from './contrastive.js'
import type { Loss, LossRequirements } from './loss.js'

export interface OnlineContrastiveLossOptions {
  /** Default `cosine`. */
  distanceMetric?: SiameseDistanceMetric
  /** Negatives that are farther apart than this cost nothing. Default 0.5. */
  margin?: number
}

/**
 * {@link ContrastiveLoss} of the hard pairs of each batch alone.
 *
 * - **Data**: (text_a, text_b) and a label, 1 for pairs that belong together and 0 for others; pairs with another label are
 *   left out.
 * - **Formula**: Σ d² over the positives that are farther apart than the closest negatives, plus Σ max(margin − d, 0)² over
 *   the negatives that are closer than the farthest positives. In a batch without positives (negatives) the mean of the
 *   others stands for their farthest (closest).
 * - **Batches**: it is a sum: larger batches make larger losses, and harder pairs.
 *
 * Source: sentence-transformers `losses/OnlineContrastiveLoss`.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class OnlineContrastiveLoss implements Loss {
  readonly type = 'OnlineContrastiveLoss'
  readonly requirements: LossRequirements = { minColumns: 2, maxColumns: 2, labels: 'float' }
  readonly distanceMetric: SiameseDistanceMetric
  readonly margin: number

  constructor(...args: LossArguments<OnlineContrastiveLossOptions>) {
    const options = lossOptions<OnlineContrastiveLossOptions>(this, args, ['distanceMetric', 'margin'])
    checkOneOf(`${this.type} distanceMetric`, options.distanceMetric, SIAMESE_DISTANCES)
    checkFinite(`${this.type} margin`, options.margin)
    this.distanceMetric = options.distanceMetric ?? 'cosine'
    this.margin = options.margin ?? 0.5
  }

  spec(): LossSpec {
    const { type, distanceMetric, margin } = this
    return { type, distanceMetric, margin }
  }
}
