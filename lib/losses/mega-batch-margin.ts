import { SentenceTorchError } from '../errors.js'
import type { LossSpec } from '../native/types.js'
import { checkFinite, checkType } from '../options.js'
import { type LossArguments, lossOptions } from './arguments.js'
import { CACHING_NOT_BUILT, CACHING_OPTIONS, type CachingOptions, checkCaching } from './caching.js'
import type { Caching, Loss, LossRequirements } from './loss.js'

export interface MegaBatchMarginLossOptions extends CachingOptions {
  /** Cosine from which on a positive costs nothing. Default 0.8. */
  positiveMargin?: number
  /** Cosine up to which the hardest negative costs nothing. Default 0.3. */
  negativeMargin?: number
  /** Embed in mini-batches (gradient caching): the same value and gradients, less memory. Default true. */
  useMiniBatchedVersion?: boolean
  /** Rows (of all columns) that pass the encoder at once. Default 50. Only with `useMiniBatchedVersion`. */
  miniBatchSize?: number
}

/**
 * The positive of each anchor shall be similar, the most similar of the other positives of the batch shall not.
 *
 * - **Data**: (anchor, positive); no labels.
 * - **Formula**: mean of max(positiveMargin − cos(a, p), 0) + max(max cos(a, n) − negativeMargin, 0), n: the positives of
 *   the other rows.
 * - **Batches**: very large ones (500 rows and more), in which hard negatives are found; `batchSampler: 'no_duplicates'`.
 * - **Relations**: {@link CachedMultipleNegativesRankingLoss} uses all negatives of a batch, and takes own ones.
 *
 * Paper: Wieting and Gimpel 2018, https://aclanthology.org/P18-1042. Source: sentence-transformers
 * `losses/MegaBatchMarginLoss`.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_NOT_IMPLEMENTED (`showProgressBar`)
 */
export class MegaBatchMarginLoss implements Loss {
  readonly type = 'MegaBatchMarginLoss'
  readonly requirements: LossRequirements = { minColumns: 2, maxColumns: 2, labels: 'none', inBatchNegatives: true }
  readonly positiveMargin: number
  readonly negativeMargin: number
  readonly caching?: Caching

  constructor(...args: LossArguments<MegaBatchMarginLossOptions>) {
    const own = ['positiveMargin', 'negativeMargin', 'useMiniBatchedVersion']
    const options = lossOptions<MegaBatchMarginLossOptions>(this, args, [...own, ...CACHING_OPTIONS], CACHING_NOT_BUILT)
    const { positiveMargin = 0.8, negativeMargin = 0.3, useMiniBatchedVersion = true } = options
    checkFinite(`${this.type} positiveMargin`, positiveMargin)
    checkFinite(`${this.type} negativeMargin`, negativeMargin)
    checkType(`${this.type} useMiniBatchedVersion`, useMiniBatchedVersion, 'boolean')
    this.positiveMargin = positiveMargin
    this.negativeMargin = negativeMargin
    const { miniBatchSize, miniBatchNumTokens } = options
    if (useMiniBatchedVersion) {
      const byDefault = miniBatchNumTokens == null && miniBatchSize === undefined ? { miniBatchSize: 50 } : {}
      this.caching = checkCaching(this.type, { miniBatchSize, miniBatchNumTokens, ...byDefault })
    } else if (miniBatchSize !== undefined || miniBatchNumTokens != null) {
      throw new SentenceTorchError(
        'ERR_INVALID_ARGUMENT',
        `${this.type} takes miniBatchSize and miniBatchNumTokens only with useMiniBatchedVersion`,
      )
    }
  }

  spec(): LossSpec {
    const { type, positiveMargin, negativeMargin } = this
    return { type, positiveMargin, negativeMargin }
  }
}
