import type { OptionTable } from '../../options/kinds.js'
import type { LossArguments } from '../arguments.js'
import { CACHING_NOT_BUILT, CACHING_OPTIONS, type CachingOptions, cachedArguments } from '../caching.js'
import type { Caching } from '../loss.js'
import { VECTOR_SIGNATURE, type VectorLossArguments, type VectorModel } from './loss.js'
import {
  MultiVectorMultipleNegativesRankingLoss,
  type MultiVectorMultipleNegativesRankingLossOptions,
  OPTIONS as PLAIN,
} from './multiple-negatives-ranking.js'

export interface CachedMultiVectorMultipleNegativesRankingLossOptions
  extends MultiVectorMultipleNegativesRankingLossOptions,
    CachingOptions {}

export const OPTIONS = {
  ...PLAIN,
  ...CACHING_OPTIONS,
} satisfies OptionTable<CachedMultiVectorMultipleNegativesRankingLossOptions>

export const NOT_BUILT = {
  scoreMiniBatchSize: { harmless: [null] },
  ...CACHING_NOT_BUILT,
}

/**
 * {@link MultiVectorMultipleNegativesRankingLoss} with gradient caching: the encoder sees `miniBatchSize` rows at a time, the loss
 * the whole batch. A batch of any size fits into memory. Value and gradients are those of the plain loss up to rounding; a step
 * embeds every text twice.
 *
 * - **Data**: (query, positive), or (query, positive, negative_1, … negative_n); no labels.
 * - **Formula**: That of {@link MultiVectorMultipleNegativesRankingLoss}.
 *
 * Paper: Gao et al. 2021, https://arxiv.org/abs/2101.06983. Source: sentence-transformers
 * `multi_vector_encoder/losses/CachedMultiVectorMultipleNegativesRankingLoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([
 *   { query: 'capital of France', positive: 'Paris is the capital.' },
 *   { query: 'largest planet', positive: 'Jupiter is the largest.' },
 * ])
 * const loss = new multiVectorLosses.CachedMultiVectorMultipleNegativesRankingLoss({ miniBatchSize: 16 })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_NOT_IMPLEMENTED
 */
export class CachedMultiVectorMultipleNegativesRankingLoss extends MultiVectorMultipleNegativesRankingLoss {
  override readonly type = 'CachedMultiVectorMultipleNegativesRankingLoss'
  readonly caching: Caching

  constructor(...args: VectorLossArguments<CachedMultiVectorMultipleNegativesRankingLossOptions>) {
    const call = { notBuilt: NOT_BUILT, signature: VECTOR_SIGNATURE }
    const { plain, caching } = cachedArguments<CachedMultiVectorMultipleNegativesRankingLossOptions>(
      new.target.name,
      args,
      OPTIONS,
      call,
    )
    super(...(plain as LossArguments<MultiVectorMultipleNegativesRankingLossOptions, VectorModel>))
    this.caching = caching
  }
}
