import type { LossSpec } from '../native/types.js'
import { checkFinite, checkOneOf, checkType } from '../options.js'
import { type LossArguments, lossOptions } from './arguments.js'
import type { Loss, LossRequirements } from './loss.js'

export const SIAMESE_DISTANCES = ['cosine', 'euclidean', 'manhattan'] as const
/** `cosine`: 1 − cosine. */
export type SiameseDistanceMetric = (typeof SIAMESE_DISTANCES)[number]

export interface ContrastiveLossOptions {
  /** Default `cosine`. */
  distanceMetric?: SiameseDistanceMetric
  /** Negatives that are farther apart than this cost nothing. Default 0.5. */
  margin?: number
  /** Mean over the rows (default) or their sum. */
  sizeAverage?: boolean
}

/**
 * Pairs with the label 1 are drawn together, those with the label 0 pushed apart up to a margin.
 *
 * - **Data**: (text_a, text_b) and a label, 1 for pairs that belong together and 0 for others. Labels between weigh both parts.
 * - **Formula**: mean of ½ · (y · d² + (1 − y) · max(margin − d, 0)²), d = distance of the pair.
 * - **Relations**: {@link OnlineContrastiveLoss} uses only the hard pairs of a batch and is usually better.
 *
 * Paper: Hadsell et al. 2006, http://yann.lecun.com/exdb/publis/pdf/hadsell-chopra-lecun-06.pdf. Source:
 * sentence-transformers `losses/ContrastiveLoss`; euclidean and manhattan distances with the eps 1e-6 of
 * `torch.nn.functional.pairwise_distance`.
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
    const options = lossOptions<ContrastiveLossOptions>(this, args, ['distanceMetric', 'margin', 'sizeAverage'])
    checkOneOf(`${this.type} distanceMetric`, options.distanceMetric, SIAMESE_DISTANCES)
    checkFinite(`${this.type} margin`, options.margin)
    checkType(`${this.type} sizeAverage`, options.sizeAverage, 'boolean')
    this.distanceMetric = options.distanceMetric ?? 'cosine'
    this.margin = options.margin ?? 0.5
    this.sizeAverage = options.sizeAverage ?? true
  }

  spec(): LossSpec {
    const { type, distanceMetric, margin, sizeAverage } = this
    return { type, distanceMetric, margin, sizeAverage }
  }
}
