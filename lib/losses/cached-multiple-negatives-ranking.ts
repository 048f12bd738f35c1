import { checkOptions } from '../options.js'
import { joinArguments, type LossArguments, splitArguments } from './arguments.js'
import { CACHING_NOT_BUILT, CACHING_OPTIONS, type CachingOptions, checkCaching, withoutCaching } from './caching.js'
import type { Caching } from './loss.js'
import {
  MultipleNegativesRankingLoss,
  type MultipleNegativesRankingLossOptions,
  RANKING_OPTIONS,
} from './multiple-negatives-ranking.js'

export interface CachedMultipleNegativesRankingLossOptions
  extends MultipleNegativesRankingLossOptions,
    CachingOptions {}

/**
 * {@link MultipleNegativesRankingLoss} with gradient caching: the encoder sees `miniBatchSize` rows at a time, the loss the
 * whole batch, so that a batch of any size fits into memory. Value and gradients are those of the plain loss up to
 * rounding; a step embeds every text twice.
 *
 * - **Data**: (anchor, positive), or (anchor, positive, negative_1, … negative_n); no labels.
 * - **Batches**: take large ones (`perDeviceTrainBatchSize` 512 and more) and a `miniBatchSize` that fits.
 * - **Relations**: any loss can be cached; this class carries the setting as `caching`.
 *
 * Paper: Gao et al. 2021, https://arxiv.org/abs/2101.06983. Source: sentence-transformers
 * `losses/CachedMultipleNegativesRankingLoss`.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_NOT_IMPLEMENTED (`gatherAcrossDevices`, `showProgressBar`)
 */
export class CachedMultipleNegativesRankingLoss extends MultipleNegativesRankingLoss {
  override readonly type: string = 'CachedMultipleNegativesRankingLoss'
  readonly caching: Caching

  constructor(...args: LossArguments<CachedMultipleNegativesRankingLossOptions>) {
    const { model, options } = splitArguments<CachedMultipleNegativesRankingLossOptions>(new.target.name, args)
    checkOptions(new.target.name, options, [...RANKING_OPTIONS, ...CACHING_OPTIONS], {
      gatherAcrossDevices: { harmless: [false] },
      ...CACHING_NOT_BUILT,
    })
    super(...joinArguments(model, withoutCaching(options)))
    this.caching = checkCaching(new.target.name, options)
  }
}
