import type { OptionTable } from '../options/kinds.js'
import type { WrapperArguments } from './arguments.js'
import { CACHING_NOT_BUILT, CACHING_OPTIONS, type CachingOptions, cachedArguments } from './caching.js'
import { GISTEmbedLoss, type GISTEmbedLossOptions, GUIDED, OPTIONS as PLAIN } from './gist-embed.js'
import type { Caching } from './loss.js'

export interface CachedGISTEmbedLossOptions extends GISTEmbedLossOptions, CachingOptions {}

export const OPTIONS = { ...PLAIN, ...CACHING_OPTIONS } satisfies OptionTable<CachedGISTEmbedLossOptions>

export const NOT_BUILT = CACHING_NOT_BUILT

/**
 * {@link GISTEmbedLoss} with gradient caching: the encoder sees `miniBatchSize` rows at a time, the loss the whole batch.
 * Value and gradients are those of the plain loss up to rounding.
 *
 * - **Data**: (anchor, positive), or (anchor, positive, negative_1, … negative_n); no labels.
 * - **Formula**: That of {@link GISTEmbedLoss}.
 *
 * Papers: Solatorio 2024, https://arxiv.org/abs/2402.16829; Gao et al. 2021, https://arxiv.org/abs/2101.06983. Source:
 * sentence-transformers `losses/CachedGISTEmbedLoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([{ anchor: 'capital of France', positive: 'Paris is the capital.' }])
 * const guide = await SentenceTransformer.load('all-MiniLM-L6-v2')
 * const loss = new losses.CachedGISTEmbedLoss({ guide, temperature: 0.05, miniBatchSize: 64 })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_NOT_IMPLEMENTED (`showProgressBar`)
 */
export class CachedGISTEmbedLoss extends GISTEmbedLoss {
  override readonly type: string = 'CachedGISTEmbedLoss'
  readonly caching: Caching

  constructor(...args: WrapperArguments<CachedGISTEmbedLossOptions, 'guide'>) {
    const call = { notBuilt: NOT_BUILT, signature: GUIDED }
    const { plain, caching } = cachedArguments<CachedGISTEmbedLossOptions>(new.target.name, args, OPTIONS, call)
    super(...plain)
    this.caching = caching
  }
}
