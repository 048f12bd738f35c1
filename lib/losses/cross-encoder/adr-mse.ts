import { type OptionTable, positive } from '../../options/kinds.js'
import { LISTWISE_OPTIONS, ListwiseLoss, type ListwiseOptions } from './listwise.js'
import type { PairLossArguments } from './loss.js'

export interface ADRMSELossOptions extends ListwiseOptions {
  /** Sharpness of the approximate ranks. Default 1. */
  alpha?: number
}

export const OPTIONS = { alpha: positive(1), ...LISTWISE_OPTIONS } satisfies OptionTable<ADRMSELossOptions>

/**
 * The rank of each document by its score becomes its rank by its label. Errors at the top count most.
 *
 * - **Data**: (query, [document, …]) and [label, …]. Equal labels share the mean of their ranks.
 * - **Formula**: mean over all documents of (r − r̂)² / log2(r + 1), r: rank by label, r̂ = 1 + Σ_j σ(alpha · (s_j − s_i)).
 * - **Relations**: {@link LambdaLoss} compares pairs of documents.
 *
 * Paper: Schlatt et al. 2024 (Rank-DistiLLM), https://arxiv.org/abs/2405.07920. Source: sentence-transformers
 * `cross_encoder/losses/ADRMSELoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([
 *   { query: 'capital of France', documents: ['Paris is the capital.', 'Lyon is a city.'], labels: [1, 0] },
 * ])
 * const loss = new crossEncoderLosses.ADRMSELoss({ alpha: 2 })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class ADRMSELoss extends ListwiseLoss<typeof OPTIONS> {
  readonly type = 'CrossEncoder.ADRMSELoss'
  readonly alpha: number = this.option('alpha')

  constructor(...args: PairLossArguments<ADRMSELossOptions>) {
    super(args, OPTIONS)
  }
}
