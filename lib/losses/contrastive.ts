import type { LossSpec } from '../native/types.js'
import { choice, flag, number, type OptionTable } from '../options/kinds.js'
import { type LossArguments, lossOptions } from './arguments.js'
import type { Loss, LossRequirements } from './loss.js'

export const SIAMESE_DISTANCES = ['cosine', 'euclidean', 'manhattan'] as const
/** `cosine`: 1 − cosine. */
export type SiameseDistanceMetric = (typeof SIAMESE_DISTANCES)[number]

export interface ContrastiveLossOptions {
  /** Distance of a pair. `cosine`: 1 − cosine. Default `cosine`. */
  distanceMetric?: SiameseDistanceMetric
  /** Distance above which a negative pair adds no loss. Default 0.5. */
  margin?: number
  /** Take the mean over the rows; else their sum. Default `true`. */
  sizeAverage?: boolean
}

export const OPTIONS = {
  distanceMetric: choice(SIAMESE_DISTANCES, 'cosine'),
  margin: number(0.5),
  sizeAverage: flag(true),
} satisfies OptionTable<ContrastiveLossOptions>

/**
 * Pairs with the label 1 are drawn together. Pairs with the label 0 are pushed apart, up to a margin.
 *
 * - **Data**: (text_a, text_b) and a label: 1 for pairs that belong together, 0 for others. A label between counts for both.
 * - **Formula**: mean of ½ · (y · d² + (1 − y) · max(margin − d, 0)²), d: distance of the pair.
 * - **Relations**: {@link OnlineContrastiveLoss} uses only the hard pairs of a batch and is usually better.
 *
 * Paper: Hadsell et al. 2006, http://yann.lecun.com/exdb/publis/pdf/hadsell-chopra-lecun-06.pdf. Source:
 * sentence-transformers `losses/ContrastiveLoss`; euclidean and manhattan distances with the eps 1e-6 of
 * `torch.nn.functional.pairwise_distance`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([
 *   { text_a: 'A cat sits outside.', text_b: 'A cat is outside.', label: 1 },
 *   { text_a: 'A cat sits outside.', text_b: 'A man plays guitar.', label: 0 },
 * ])
 * const loss = new losses.ContrastiveLoss({ margin: 1 })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class ContrastiveLoss implements Loss {
  readonly type = 'ContrastiveLoss'
  readonly requirements: LossRequirements = { minColumns: 2, maxColumns: 2, labels: 'float' }
  readonly distanceMetric: SiameseDistanceMetric
  readonly margin: number
  readonly sizeAverage: boolean

  constructor(...args: LossArguments<ContrastiveLossOptions>) {
    const options = lossOptions(this, args, OPTIONS)
    this.distanceMetric = options.distanceMetric
    this.margin = options.margin
    this.sizeAverage = options.sizeAverage
  }

  spec(): LossSpec {
    const { type, distanceMetric, margin, sizeAverage } = this
    return { type, distanceMetric, margin, sizeAverage }
  }
}
