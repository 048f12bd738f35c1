import { SentenceTorchError } from '../errors.js'
import type { LossSpec } from '../native/types.js'
import { flag, integer, number, type OptionTable } from '../options/kinds.js'
import { type LossArguments, lossOptions, splitArguments } from './arguments.js'
import { CACHING_NOT_BUILT, CACHING_OPTIONS, type CachingOptions, cachingOf } from './caching.js'
import type { Caching, Loss, LossRequirements } from './loss.js'

export interface MegaBatchMarginLossOptions extends CachingOptions {
  /** Cosine above which a positive adds no loss. Default 0.8. */
  positiveMargin?: number
  /** Cosine below which the hardest negative adds no loss. Default 0.3. */
  negativeMargin?: number
  /** Embed in mini-batches (gradient caching): the same value and gradients, less memory. Default `true`. */
  useMiniBatchedVersion?: boolean
  /** Rows (of all columns) that pass the encoder at once. Only with `useMiniBatchedVersion`. Default 50. */
  miniBatchSize?: number
}

/** Rows of a mini-batch. */
const ROWS = 50

export const OPTIONS = {
  positiveMargin: number(0.8),
  negativeMargin: number(0.3),
  useMiniBatchedVersion: flag(true),
  ...CACHING_OPTIONS,
  miniBatchSize: integer(ROWS, { least: 1 }),
} satisfies OptionTable<MegaBatchMarginLossOptions>

export const NOT_BUILT = CACHING_NOT_BUILT

/**
 * The positive of each anchor becomes similar. The most similar one of the other positives of the batch does not.
 *
 * - **Data**: (anchor, positive); no labels.
 * - **Formula**: mean of max(positiveMargin − cos(a, p), 0) + max(max cos(a, n) − negativeMargin, 0), n: the positives of
 *   the other rows.
 * - **Batches**: Take very large ones (500 rows and more), in which hard negatives are found, and `batchSampler:
 *   'no_duplicates'`.
 * - **Relations**: {@link CachedMultipleNegativesRankingLoss} uses all negatives of a batch, and takes negatives of its own.
 *
 * Paper: Wieting and Gimpel 2018, https://aclanthology.org/P18-1042. Source: sentence-transformers
 * `losses/MegaBatchMarginLoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([
 *   { anchor: 'capital of France', positive: 'Paris is the capital.' },
 *   { anchor: 'largest planet', positive: 'Jupiter is the largest.' },
 * ])
 * const loss = new losses.MegaBatchMarginLoss({ positiveMargin: 0.9, miniBatchSize: 100 })
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
    const options = lossOptions(this, args, OPTIONS, { notBuilt: NOT_BUILT })
    this.positiveMargin = options.positiveMargin
    this.negativeMargin = options.negativeMargin
    const given: CachingOptions = splitArguments(this.type, args).options
    if (options.useMiniBatchedVersion) {
      this.caching = cachingOf(this.type, given, ROWS)
    } else if (given.miniBatchSize !== undefined || given.miniBatchNumTokens != null) {
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
