import type { LossArguments } from './arguments.js'
import { type BatchTripletLossOptions, BatchTriplets } from './batch-triplets.js'

/**
 * For each pair of one class the nearest text of another class that is farther away than the pair is wide; where there is
 * none, the farthest of all.
 *
 * - **Data**: (text) and a whole-number label, its class.
 * - **Formula**: mean over all pairs (a, p) of one class of max(d(a, p) − d(a, n) + margin, 0).
 * - **Batches**: at least two texts of each class in each, so `batchSampler: 'group_by_label'`.
 * - **Relations**: {@link BatchHardTripletLoss} takes the hardest, {@link BatchAllTripletLoss} all triplets.
 *
 * Paper: Schroff et al. 2015, https://arxiv.org/abs/1503.03832. Source: sentence-transformers
 * `losses/BatchSemiHardTripletLoss`.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class BatchSemiHardTripletLoss extends BatchTriplets {
  readonly type = 'BatchSemiHardTripletLoss'

  constructor(...args: LossArguments<BatchTripletLossOptions>) {
    super('BatchSemiHardTripletLoss', args)
  }
}
