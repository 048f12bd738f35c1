import { type OptionTable, optionValues } from '../options/kinds.js'
import { joinArguments, type LossArguments, splitArguments } from './arguments.js'
import {
  CachedMultipleNegativesRankingLoss,
  NOT_BUILT as PLAIN_NOT_BUILT,
} from './cached-multiple-negatives-ranking.js'
import { CACHING_OPTIONS, type CachingOptions } from './caching.js'
import { RANKING_SIMILARITY, type RankingSimilarityOptions } from './multiple-negatives-ranking.js'
import { SYMMETRIC } from './multiple-negatives-symmetric-ranking.js'

export interface CachedMultipleNegativesSymmetricRankingLossOptions extends RankingSimilarityOptions, CachingOptions {}

export const OPTIONS = {
  ...RANKING_SIMILARITY,
  ...CACHING_OPTIONS,
} satisfies OptionTable<CachedMultipleNegativesSymmetricRankingLossOptions>

export const NOT_BUILT = PLAIN_NOT_BUILT

/**
 * {@link CachedMultipleNegativesRankingLoss} in both directions.
 *
 * - **Data**: (anchor, positive); no labels. Further columns are negatives of the first direction.
 * - **Formula**: mean of the two directions, each as in {@link MultipleNegativesRankingLoss}.
 *
 * Paper: Günther et al. 2024, https://arxiv.org/abs/2310.19923. Source: sentence-transformers
 * `losses/CachedMultipleNegativesSymmetricRankingLoss`, deprecated there.
 *
 * @deprecated Use {@link CachedMultipleNegativesRankingLoss} with `directions: ['query_to_doc', 'doc_to_query']` and
 *   `partitionMode: 'per_direction'`, which is the same.
 *
 * @example
 * const trainDataset = Dataset.fromRows([{ anchor: 'capital of France', positive: 'Paris is the capital.' }])
 * const loss = new losses.CachedMultipleNegativesSymmetricRankingLoss({ scale: 50, miniBatchSize: 64 })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_NOT_IMPLEMENTED (`showProgressBar`)
 */
export class CachedMultipleNegativesSymmetricRankingLoss extends CachedMultipleNegativesRankingLoss {
  override readonly type: string = 'CachedMultipleNegativesSymmetricRankingLoss'

  constructor(...args: LossArguments<CachedMultipleNegativesSymmetricRankingLossOptions>) {
    const { model, options } = splitArguments<CachedMultipleNegativesSymmetricRankingLossOptions>(new.target.name, args)
    optionValues(new.target.name, options, OPTIONS, NOT_BUILT)
    super(...joinArguments(model, { ...options, ...SYMMETRIC }))
  }
}
