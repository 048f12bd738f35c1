import { flag, type OptionTable } from '../../options/kinds.js'
import { LISTWISE_OPTIONS, ListwiseLoss, type ListwiseOptions } from './listwise.js'
import type { PairLossArguments } from './loss.js'

export interface ListMLELossOptions extends ListwiseOptions {
  /** Whether the documents of every list come best first. Else they are sorted by their labels. Default `true`. */
  respectInputOrder?: boolean
}

export const OPTIONS = { respectInputOrder: flag(true), ...LISTWISE_OPTIONS } satisfies OptionTable<ListMLELossOptions>

/**
 * The right order of a query's documents becomes likely by their scores.
 *
 * - **Data**: (query, [document, …]) best first, and [label, …]. Lists may differ in length.
 * - **Formula**: mean over queries of −Σ_i log(exp(s_i) / Σ_{j ≥ i} exp(s_j)).
 * - **Relations**: {@link PListMLELoss} counts the first ranks more, which usually ranks better.
 *
 * Paper: Xia et al. 2008, http://icml2008.cs.helsinki.fi/papers/167.pdf. Source: sentence-transformers
 * `cross_encoder/losses/ListMLELoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([
 *   { query: 'capital of France', documents: ['Paris is the capital.', 'Lyon is a city.'], labels: [1, 0] },
 * ])
 * const loss = new crossEncoderLosses.ListMLELoss({ respectInputOrder: false })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class ListMLELoss extends ListwiseLoss<typeof OPTIONS> {
  readonly type = 'CrossEncoder.ListMLELoss'
  readonly respectInputOrder: boolean = this.option('respectInputOrder')

  constructor(...args: PairLossArguments<ListMLELossOptions>) {
    super(args, OPTIONS)
  }
}
