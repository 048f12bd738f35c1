import type { OptionTable } from '../options/kinds.js'
import type { LossArguments } from './arguments.js'
import { CACHING_NOT_BUILT, CACHING_OPTIONS, type CachingOptions, cachedArguments } from './caching.js'
import type { Caching } from './loss.js'
import {
  MultipleNegativesRankingLoss,
  type MultipleNegativesRankingLossOptions,
  OPTIONS as PLAIN,
} from './multiple-negatives-ranking.js'

export interface CachedMultipleNegativesRankingLossOptions
  extends MultipleNegativesRankingLossOptions,
    CachingOptions {}

export const OPTIONS = { ...PLAIN, ...CACHING_OPTIONS } satisfies OptionTable<CachedMultipleNegativesRankingLossOptions>

export const NOT_BUILT = CACHING_NOT_BUILT

/**
 * {@link MultipleNegativesRankingLoss} with gradient caching: the encoder sees `miniBatchSize` rows at a time, the loss the
 * whole batch. A batch of any size fits into memory. Value and gradients are those of the plain loss up to rounding; a step
 * embeds every text twice.
 *
 * - **Data**: (anchor, positive), or (anchor, positive, negative_1, … negative_n); no labels.
 * - **Formula**: That of {@link MultipleNegativesRankingLoss}.
 * - **Batches**: Take large ones (`perDeviceTrainBatchSize` 512 and more) and a `miniBatchSize` that fits into memory.
 * - **Relations**: Any loss can be cached, by the trainer's `miniBatchSize`. This class carries the setting as `caching`.
 *
 * Paper: Gao et al. 2021, https://arxiv.org/abs/2101.06983. Source: sentence-transformers
 * `losses/CachedMultipleNegativesRankingLoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([
 *   { anchor: 'capital of France', positive: 'Paris is the capital.' },
 *   { anchor: 'largest planet', positive: 'Jupiter is the largest.' },
 * ])
 * const loss = new losses.CachedMultipleNegativesRankingLoss({ scale: 50, miniBatchSize: 64 })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_NOT_IMPLEMENTED (`showProgressBar`)
 */
export class CachedMultipleNegativesRankingLoss extends MultipleNegativesRankingLoss {
  override readonly type: string = 'CachedMultipleNegativesRankingLoss'
  readonly caching: Caching

  constructor(...args: LossArguments<CachedMultipleNegativesRankingLossOptions>) {
    const call = { notBuilt: NOT_BUILT }
    const { plain, caching } = cachedArguments<CachedMultipleNegativesRankingLossOptions>(
      new.target.name,
      args,
      OPTIONS,
      call,
    )
    super(...plain)
    this.caching = caching
  }
}
