import type { LossSpec } from '../native/types.js'
import { integer, nullable, type OptionTable } from '../options/kinds.js'
import { type LossArguments, lossOptions } from './arguments.js'
import type { Loss, LossRequirements } from './loss.js'

export interface FlopsLossOptions {
  /** Rows with no more words than this count as empty. Default `null`: all rows count. */
  threshold?: number | null
}

export const OPTIONS = { threshold: nullable(integer(undefined, { least: 0 })) } satisfies OptionTable<FlopsLossOptions>

/**
 * The regulariser of {@link SpladeLoss}, which makes embeddings sparse: how much each word is used on the average, squared, is what a
 * search of an inverted index costs. It is no loss for a trainer by itself.
 *
 * - **Data**: (text, …); no labels.
 * - **Formula**: Σ over the words of (mean over the rows of the word's weight)².
 * - **Use**: `documentRegularizer` and `queryRegularizer` of {@link SpladeLoss}.
 *
 * Papers: Paria et al. 2020, https://arxiv.org/abs/2004.05665; with a threshold, Geng et al. 2024, https://arxiv.org/abs/2504.14839.
 * Source: sentence-transformers `sparse_encoder/losses/FlopsLoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([{ text: 'A cat sits outside.' }])
 * const loss = new losses.FlopsLoss({ threshold: 200 })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class FlopsLoss implements Loss {
  readonly type = 'FlopsLoss'
  readonly within = ['SpladeLoss']
  readonly requirements: LossRequirements = { minColumns: 1, maxColumns: Number.POSITIVE_INFINITY, labels: 'none' }
  readonly threshold: number | null

  constructor(...args: LossArguments<FlopsLossOptions>) {
    this.threshold = lossOptions(this, args, OPTIONS).threshold
  }

  spec(): LossSpec {
    return { type: this.type, threshold: this.threshold }
  }
}
