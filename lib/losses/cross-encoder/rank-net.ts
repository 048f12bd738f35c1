import type { LossSpec } from '../../native/types.js'
import type { Caching, LossRequirements } from '../loss.js'
import { checkPairwise, PAIRWISE, type PairwiseRankingOptions } from './lambda.js'
import { type CrossEncoderLoss, checkMiniBatch, needOneLabel, type PairLossArguments, pairLossOptions } from './loss.js'

export type RankNetLossOptions = PairwiseRankingOptions

/**
 * Documents with a higher label shall score higher: every such pair of a query's documents counts alike.
 *
 * - **Data**: (query, [document, …]) and [label, …]; lists may differ in length.
 * - **Formula**: −mean over pairs y_i > y_j of log2 σ(sigma · (s_i − s_j)).
 * - **Relations**: `LambdaLoss` weights the pairs and ranks better in most experiments.
 *
 * Paper: Burges et al. 2005, https://icml.cc/Conferences/2005/proceedings/papers/012_LearningToRank_BurgesEtAl.pdf. Source:
 * sentence-transformers `cross_encoder/losses/RankNetLoss`.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class RankNetLoss implements CrossEncoderLoss {
  readonly type = 'CrossEncoder.RankNetLoss'
  readonly requirements: LossRequirements = { minColumns: 2, maxColumns: 2, labels: 'floats' }
  readonly pairing = { kind: 'lists' } as const
  readonly caching?: Caching
  readonly #options: ReturnType<typeof checkPairwise>

  constructor(...args: PairLossArguments<RankNetLossOptions>) {
    const options = pairLossOptions<RankNetLossOptions>(this, args, PAIRWISE)
    this.#options = checkPairwise(this.type, options)
    Object.assign(this, checkMiniBatch(this.type, options.miniBatchSize))
  }

  spec(numLabels: number): LossSpec {
    needOneLabel(this.type, numLabels)
    return { type: this.type, ...this.#options }
  }
}
