import type { OptionTable } from '../options/kinds.js'
import type { WrapperArguments } from './arguments.js'
import { CACHING_NOT_BUILT, CACHING_OPTIONS, type CachingOptions, cachedArguments } from './caching.js'
import type { Caching } from './loss.js'
import { OPTIONS as PLAIN, SpladeLoss, type SpladeLossOptions } from './splade.js'
import { WRAPPING } from './wrapped.js'

export interface CachedSpladeLossOptions extends SpladeLossOptions, CachingOptions {}

export const OPTIONS = { ...PLAIN, ...CACHING_OPTIONS } satisfies OptionTable<CachedSpladeLossOptions>

export const NOT_BUILT = CACHING_NOT_BUILT

/**
 * {@link SpladeLoss} with gradient caching: the encoder sees `miniBatchSize` rows at a time, the loss the whole batch. Value and gradients
 * are those of the plain loss up to rounding; a step embeds every text twice.
 *
 * - **Data**: That of the inner loss; the first column is the query.
 * - **Formula**: That of {@link SpladeLoss}.
 * - **Logged**: As of {@link SpladeLoss}.
 * - **Relations**: Any loss can be cached, by the trainer's `miniBatchSize`. This class carries the setting as `caching`.
 *
 * Paper: Gao et al. 2021, https://arxiv.org/abs/2101.06983. Source: sentence-transformers `sparse_encoder/losses/CachedSpladeLoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([{ anchor: 'capital of France', positive: 'Paris is the capital.' }])
 * const loss = new losses.CachedSpladeLoss({
 *   loss: new losses.SparseMultipleNegativesRankingLoss(),
 *   documentRegularizerWeight: 3e-5,
 *   queryRegularizerWeight: 5e-5,
 *   miniBatchSize: 16,
 * })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_NOT_IMPLEMENTED (`showProgressBar`)
 */
export class CachedSpladeLoss extends SpladeLoss {
  override readonly type = 'CachedSpladeLoss'
  override readonly caching: Caching

  constructor(...args: WrapperArguments<CachedSpladeLossOptions, 'loss'>) {
    const call = { notBuilt: NOT_BUILT, signature: WRAPPING }
    const { plain, caching } = cachedArguments<CachedSpladeLossOptions>(new.target.name, args, OPTIONS, call)
    super(...plain)
    this.caching = caching
  }
}
