import { checkOptions } from '../options.js'
import { joinArguments, splitArguments, type WrapperArguments } from './arguments.js'
import { CACHING_NOT_BUILT, CACHING_OPTIONS, type CachingOptions, checkCaching, withoutCaching } from './caching.js'
import { GIST_OPTIONS, GISTEmbedLoss, type GISTEmbedLossOptions, GUIDED } from './gist-embed.js'
import type { Caching } from './loss.js'

export interface CachedGISTEmbedLossOptions extends GISTEmbedLossOptions, CachingOptions {}

/**
 * {@link GISTEmbedLoss} with gradient caching: the encoder sees `miniBatchSize` rows at a time, the loss the whole batch.
 * Value and gradients are those of the plain loss up to rounding.
 *
 * - **Data**: (anchor, positive), or (anchor, positive, negative_1, … negative_n); no labels.
 *
 * Papers: Solatorio 2024, https://arxiv.org/abs/2402.16829; Gao et al. 2021, https://arxiv.org/abs/2101.06983. Source:
 * sentence-transformers `losses/CachedGISTEmbedLoss`.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_NOT_IMPLEMENTED (`gatherAcrossDevices`, `showProgressBar`)
 */
export class CachedGISTEmbedLoss extends GISTEmbedLoss {
  override readonly type: string = 'CachedGISTEmbedLoss'
  readonly caching: Caching

  constructor(...args: WrapperArguments<CachedGISTEmbedLossOptions, 'guide'>) {
    const { model, options } = splitArguments<CachedGISTEmbedLossOptions>(new.target.name, args, GUIDED)
    checkOptions(new.target.name, options, [...GIST_OPTIONS, ...CACHING_OPTIONS], {
      gatherAcrossDevices: { harmless: [false] },
      ...CACHING_NOT_BUILT,
    })
    super(...joinArguments(model, withoutCaching(options) as GISTEmbedLossOptions))
    this.caching = checkCaching(new.target.name, options)
  }
}
