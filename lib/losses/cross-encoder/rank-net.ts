import type { OptionTable } from '../../options/kinds.js'
import { PAIRWISE_OPTIONS, type PairwiseRankingOptions } from './lambda.js'
import { ListwiseLoss } from './listwise.js'
import type { PairLossArguments } from './loss.js'

export type RankNetLossOptions = PairwiseRankingOptions

export const OPTIONS = PAIRWISE_OPTIONS satisfies OptionTable<RankNetLossOptions>

/**
 * Documents with a higher label get higher scores. Every such pair of a query's documents counts alike.
 *
 * - **Data**: (query, [document, …]) and [label, …]. Lists may differ in length.
 * - **Formula**: −mean over pairs y_i > y_j of log2 σ(sigma · (s_i − s_j)).
 * - **Relations**: {@link LambdaLoss} weights the pairs and ranks better in most experiments.
 *
 * Paper: Burges et al. 2005, https://icml.cc/Conferences/2005/proceedings/papers/012_LearningToRank_BurgesEtAl.pdf. Source:
 * sentence-transformers `cross_encoder/losses/RankNetLoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([
 *   { query: 'capital of France', documents: ['Paris is the capital.', 'Lyon is a city.'], labels: [1, 0] },
 * ])
 * const loss = new crossEncoderLosses.RankNetLoss({ k: 10 })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class RankNetLoss extends ListwiseLoss<typeof OPTIONS> {
  readonly type = 'CrossEncoder.RankNetLoss'

  constructor(...args: PairLossArguments<RankNetLossOptions>) {
    super(args, OPTIONS)
  }
}
