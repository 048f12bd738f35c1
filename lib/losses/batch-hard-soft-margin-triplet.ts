import type { LossArguments } from './arguments.js'
import { type BatchTripletLossOptions, BatchTriplets } from './batch-triplets.js'

/**
 * {@link BatchHardTripletLoss} with a soft margin, which never ends.
 *
 * - **Data**: (text) and a whole-number label, its class.
 * - **Formula**: mean over the rows of log(1 + exp(d(a, hardest p) − d(a, hardest n))).
 * - **Batches**: at least two texts of each class in each, so `batchSampler: 'group_by_label'`.
 *
 * Paper: Hermans et al. 2017, https://arxiv.org/abs/1703.07737. Source: sentence-transformers
 * `losses/BatchHardSoftMarginTripletLoss`.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class BatchHardSoftMarginTripletLoss extends BatchTriplets {
  readonly type = 'BatchHardSoftMarginTripletLoss'

  constructor(...args: LossArguments<Omit<BatchTripletLossOptions, 'margin'>>) {
    super('BatchHardSoftMarginTripletLoss', args, false)
  }
}
