import type { LossSpec } from '../../native/types.js'
import type { Caching, LossRequirements } from '../loss.js'
import {
  type CrossEncoderLoss,
  checkActivation,
  checkMiniBatch,
  LISTWISE,
  type ListwiseOptions,
  type LogitActivation,
  needOneLabel,
  type PairLossArguments,
  pairLossOptions,
} from './loss.js'

export type ListNetLossOptions = ListwiseOptions

/**
 * The scores of a query's documents shall be distributed as their labels are.
 *
 * - **Data**: (query, [document, …]) and [label, …]; lists may differ in length.
 * - **Formula**: mean over queries of −Σ softmax(y)_i · log softmax(s)_i.
 * - **Relations**: {@link LambdaLoss} usually ranks better.
 *
 * Paper: Cao et al. 2007, https://www.microsoft.com/en-us/research/wp-content/uploads/2016/02/tr-2007-40.pdf. Source:
 * sentence-transformers `cross_encoder/losses/ListNetLoss`.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class ListNetLoss implements CrossEncoderLoss {
  readonly type = 'CrossEncoder.ListNetLoss'
  readonly requirements: LossRequirements = { minColumns: 2, maxColumns: 2, labels: 'floats' }
  readonly pairing = { kind: 'lists' } as const
  readonly activationFn: LogitActivation
  readonly caching?: Caching

  constructor(...args: PairLossArguments<ListNetLossOptions>) {
    const options = pairLossOptions<ListNetLossOptions>(this, args, LISTWISE)
    this.activationFn = checkActivation(this.type, options.activationFn)
    Object.assign(this, checkMiniBatch(this.type, options.miniBatchSize))
  }

  spec(numLabels: number): LossSpec {
    needOneLabel(this.type, numLabels)
    return { type: this.type, activationFn: this.activationFn }
  }
}
