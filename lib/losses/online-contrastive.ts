import type { LossSpec } from '../native/types.js'
import { choice, number, type OptionTable } from '../options/kinds.js'
import { type LossArguments, lossOptions } from './arguments.js'
import { SIAMESE_DISTANCES, type SiameseDistanceMetric } from './contrastive.js'
import type { Loss, LossRequirements } from './loss.js'

export interface OnlineContrastiveLossOptions {
  /** Distance of a pair. `cosine`: 1 − cosine. Default `cosine`. */
  distanceMetric?: SiameseDistanceMetric
  /** Distance above which a negative pair adds no loss. Default 0.5. */
  margin?: number
}

export const OPTIONS = {
  distanceMetric: choice(SIAMESE_DISTANCES, 'cosine'),
  margin: number(0.5),
} satisfies OptionTable<OnlineContrastiveLossOptions>

/**
 * {@link ContrastiveLoss} of the hard pairs of each batch alone, which is usually better.
 *
 * - **Data**: (text_a, text_b) and a label: 1 for pairs that belong together, 0 for others. Pairs with another label are left
 *   out.
 * - **Formula**: Σ d² over the positives that are farther apart than the closest negatives, plus Σ max(margin − d, 0)² over
 *   the negatives that are closer than the farthest positives. In a batch without positives the mean of the negatives stands
 *   for the farthest positives, and the other way round.
 * - **Batches**: The loss is a sum: a larger batch has a larger loss, and harder pairs.
 *
 * Source: sentence-transformers `losses/OnlineContrastiveLoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([
 *   { text_a: 'A cat sits outside.', text_b: 'A cat is outside.', label: 1 },
 *   { text_a: 'A cat sits outside.', text_b: 'A man plays guitar.', label: 0 },
 * ])
 * const loss = new losses.OnlineContrastiveLoss({ margin: 1 })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class OnlineContrastiveLoss implements Loss {
  readonly type = 'OnlineContrastiveLoss'
  readonly requirements: LossRequirements = { minColumns: 2, maxColumns: 2, labels: 'float' }
  readonly distanceMetric: SiameseDistanceMetric
  readonly margin: number

  constructor(...args: LossArguments<OnlineContrastiveLossOptions>) {
    const options = lossOptions(this, args, OPTIONS)
    this.distanceMetric = options.distanceMetric
    this.margin = options.margin
  }

  spec(): LossSpec {
    const { type, distanceMetric, margin } = this
    return { type, distanceMetric, margin }
  }
}
