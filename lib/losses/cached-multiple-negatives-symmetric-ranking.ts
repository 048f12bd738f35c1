import { checkOptions } from '../options.js'
import { joinArguments, type LossArguments, splitArguments } from './arguments.js'
import { CachedMultipleNegativesRankingLoss } from './cached-multiple-negatives-ranking.js'
import { CACHING_NOT_BUILT, CACHING_OPTIONS, type CachingOptions } from './caching.js'
import { type MultipleNegativesSymmetricRankingLossOptions, SYMMETRIC } from './multiple-negatives-symmetric-ranking.js'

export type CachedMultipleNegativesSymmetricRankingLossOptions = MultipleNegativesSymmetricRankingLossOptions &
  CachingOptions

/**
 * {@link CachedMultipleNegativesRankingLoss} in both directions.
 *
 * Source: sentence-transformers `losses/CachedMultipleNegativesSymmetricRankingLoss`, deprecated there.
 *
 * @deprecated Use {@link CachedMultipleNegativesRankingLoss} with `directions: ['query_to_doc', 'doc_to_query']` and
 *   `partitionMode: 'per_direction'`, which is the same.
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_NOT_IMPLEMENTED (`gatherAcrossDevices`, `showProgressBar`)
 */
export class CachedMultipleNegativesSymmetricRankingLoss extends CachedMultipleNegativesRankingLoss {
  override readonly type: string = 'CachedMultipleNegativesSymmetricRankingLoss'

  constructor(...args: LossArguments<CachedMultipleNegativesSymmetricRankingLossOptions>) {
    const { model, options } = splitArguments<CachedMultipleNegativesSymmetricRankingLossOptions>(new.target.name, args)
    checkOptions(new.target.name, options, ['scale', 'similarityFct', ...CACHING_OPTIONS], {
      gatherAcrossDevices: { harmless: [false] },
      ...CACHING_NOT_BUILT,
    })
    super(...joinArguments(model, { ...options, ...SYMMETRIC }))
  }
}
