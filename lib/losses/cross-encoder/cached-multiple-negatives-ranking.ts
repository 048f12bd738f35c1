import { checkInteger, checkOptions } from '../../options.js'
import { joinArguments, splitArguments } from '../arguments.js'
import type { Caching } from '../loss.js'
import { PAIR_SIGNATURE, type PairLossArguments, type PairModel } from './loss.js'
import {
  CE_RANKING_OPTIONS,
  MultipleNegativesRankingLoss,
  type MultipleNegativesRankingLossOptions,
} from './multiple-negatives-ranking.js'

export interface CachedMultipleNegativesRankingLossOptions extends MultipleNegativesRankingLossOptions {
  /** Pairs that pass the model at once: what bounds the memory. Default 32. */
  miniBatchSize?: number
}

/**
 * {@link MultipleNegativesRankingLoss} with gradient caching: the model sees `miniBatchSize` pairs at a time, so that many
 * negatives fit into memory. Value and gradients are those of the plain loss up to rounding; a step scores every pair
 * twice.
 *
 * - **Data**: (query, positive), or (query, positive, negative_1, … negative_n); no labels.
 *
 * Paper: Gao et al. 2021, https://arxiv.org/abs/2101.06983. Source: sentence-transformers
 * `cross_encoder/losses/CachedMultipleNegativesRankingLoss`.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_NOT_IMPLEMENTED (`showProgressBar`)
 */
export class CachedMultipleNegativesRankingLoss extends MultipleNegativesRankingLoss {
  override readonly type = 'CrossEncoder.CachedMultipleNegativesRankingLoss'
  readonly caching: Caching

  constructor(...args: PairLossArguments<CachedMultipleNegativesRankingLossOptions>) {
    const where = 'CrossEncoder.CachedMultipleNegativesRankingLoss'
    const { model, options } = splitArguments<CachedMultipleNegativesRankingLossOptions>(where, args, PAIR_SIGNATURE)
    checkOptions(where, options, [...CE_RANKING_OPTIONS, 'miniBatchSize'], { showProgressBar: { harmless: [false] } })
    checkInteger(`${where} miniBatchSize`, options.miniBatchSize, 1)
    const { numNegatives, scale, activationFn } = options
    const ranking = {
      ...(numNegatives !== undefined && { numNegatives }),
      ...(scale !== undefined && { scale }),
      ...(activationFn !== undefined && { activationFn }),
    }
    super(...joinArguments<typeof ranking, PairModel>(model, ranking))
    this.caching = { miniBatchSize: options.miniBatchSize ?? 32 }
  }
}
