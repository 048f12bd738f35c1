import type { LossArguments } from './arguments.js'
import { type BatchTripletLossOptions, BatchTriplets } from './batch-triplets.js'

/**
 * For each text the farthest one of its class and the nearest one of another.
 *
 * - **Data**: (text) and a whole-number label, its class.
 * - **Formula**: mean over the rows of max(d(a, hardest p) − d(a, hardest n) + margin, 0).
 * - **Batches**: at least two texts of each class in each, so `batchSampler: 'group_by_label'`.
 * - **Relations**: {@link BatchHardSoftMarginTripletLoss} needs no margin.
 *
 * Paper: Hermans et al. 2017, https://arxiv.org/abs/1703.07737. Source: sentence-transformers `losses/BatchHardTripletLoss`.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class BatchHardTripletLoss extends BatchTriplets {
  readonly type = 'BatchHardTripletLoss'

  constructor(...args: LossArguments<BatchTripletLossOptions>) {
    super('BatchHardTripletLoss', args)
  }
}
