import type { OptionTable } from '../../options/kinds.js'
import { LISTWISE_OPTIONS, ListwiseLoss, type ListwiseOptions } from './listwise.js'
import type { PairLossArguments } from './loss.js'

export type ListNetLossOptions = ListwiseOptions

export const OPTIONS = LISTWISE_OPTIONS satisfies OptionTable<ListNetLossOptions>

/**
 * The scores of a query's documents become distributed as their labels are.
 *
 * - **Data**: (query, [document, …]) and [label, …]. Lists may differ in length.
 * - **Formula**: mean over queries of −Σ_i softmax(y)_i · log softmax(s)_i.
 * - **Relations**: {@link LambdaLoss} usually ranks better.
 *
 * Paper: Cao et al. 2007, https://www.microsoft.com/en-us/research/wp-content/uploads/2016/02/tr-2007-40.pdf. Source:
 * sentence-transformers `cross_encoder/losses/ListNetLoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([
 *   { query: 'capital of France', documents: ['Paris is the capital.', 'Lyon is a city.'], labels: [1, 0] },
 * ])
 * const loss = new crossEncoderLosses.ListNetLoss({ activationFn: 'sigmoid', miniBatchSize: 16 })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class ListNetLoss extends ListwiseLoss<typeof OPTIONS> {
  readonly type = 'CrossEncoder.ListNetLoss'

  constructor(...args: PairLossArguments<ListNetLossOptions>) {
    super(args, OPTIONS)
  }
}
