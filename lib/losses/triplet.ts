import type { LossSpec } from '../native/types.js'
import { choice, number, type OptionTable } from '../options/kinds.js'
import { type LossArguments, lossOptions } from './arguments.js'
import type { Loss, LossRequirements } from './loss.js'

const DISTANCES = ['euclidean', 'cosine', 'manhattan'] as const
/** `cosine`: 1 − cosine. */
export type TripletDistanceMetric = (typeof DISTANCES)[number]

export interface TripletLossOptions {
  /** Distance of two embeddings. `cosine`: 1 − cosine. Default `euclidean`. */
  distanceMetric?: TripletDistanceMetric
  /** How much farther than the positive the negative has to be. Cosine distances end at 2. Default 5. */
  tripletMargin?: number
}

export const OPTIONS = {
  distanceMetric: choice(DISTANCES, 'euclidean'),
  tripletMargin: number(5),
} satisfies OptionTable<TripletLossOptions>

/**
 * The anchor becomes closer to the positive than to the negative, by a margin.
 *
 * - **Data**: (anchor, positive, negative); no labels.
 * - **Formula**: mean of max(d(a, p) − d(a, n) + tripletMargin, 0). An euclidean distance of 0 (two equal texts in a row) has the
 *   gradient 0; the rest of the row and of the batch trains.
 * - **Relations**: {@link MultipleNegativesRankingLoss} takes the same data, uses all rows of a batch as negatives, and is
 *   usually better. {@link BatchAllTripletLoss} and its kin make the triplets from labelled texts.
 *
 * Paper: Hermans et al. 2017, https://arxiv.org/abs/1703.07737. Source: sentence-transformers `losses/TripletLoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([
 *   { anchor: 'A cat sits outside.', positive: 'A cat is outside.', negative: 'A cat sleeps inside.' },
 * ])
 * const loss = new losses.TripletLoss({ tripletMargin: 1 })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class TripletLoss implements Loss {
  readonly type: string = 'TripletLoss'
  readonly requirements: LossRequirements = { minColumns: 3, maxColumns: 3, labels: 'none' }
  readonly distanceMetric: TripletDistanceMetric
  readonly tripletMargin: number

  constructor(...args: LossArguments<TripletLossOptions>) {
    const options = lossOptions(this, args, OPTIONS)
    this.distanceMetric = options.distanceMetric
    this.tripletMargin = options.tripletMargin
  }

  spec(): LossSpec {
    const { distanceMetric, tripletMargin } = this
    return { type: 'TripletLoss', distanceMetric, tripletMargin }
  }
}
