import type { LossArguments } from './arguments.js'
import { type BatchTripletLossOptions, BatchTriplets } from './batch-triplets.js'

/**
 * All triplets that the labels of a batch allow: two texts of one class and one of another.
 *
 * - **Data**: (text) and a whole-number label, its class.
 * - **Formula**: mean of max(d(a, p) − d(a, n) + margin, 0) over the triplets for which it is above 0.
 * - **Batches**: at least two texts of some class in each, so `batchSampler: 'group_by_label'`.
 * - **Relations**: {@link BatchHardTripletLoss} and {@link BatchSemiHardTripletLoss} choose among the triplets.
 *
 * Paper: Hermans et al. 2017, https://arxiv.org/abs/1703.07737. Source: sentence-transformers `losses/BatchAllTripletLoss`.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class BatchAllTripletLoss extends BatchTriplets {
  readonly type = 'BatchAllTripletLoss'

  constructor(...args: LossArguments<BatchTripletLossOptions>) {
    super('BatchAllTripletLoss', args)
  }
}
