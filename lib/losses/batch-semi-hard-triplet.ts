import type { LossArguments } from './arguments.js'
import { BATCH_TRIPLETS, type BatchTripletLossOptions, BatchTriplets } from './batch-triplets.js'

export const OPTIONS = BATCH_TRIPLETS

/**
 * Semi-hard triplets: for each pair of one class the nearest text of another class that is farther from the anchor than the
 * positive is. If there is none, the farthest of all.
 *
 * - **Data**: (text) and a whole number, its class.
 * - **Formula**: mean over all pairs (a, p) of one class of max(d(a, p) − d(a, n) + margin, 0).
 * - **Batches**: A batch needs at least two texts of each class: take `batchSampler: 'group_by_label'`.
 * - **Relations**: {@link BatchHardTripletLoss} takes the hardest triplets, {@link BatchAllTripletLoss} all.
 *
 * Paper: Schroff et al. 2015, https://arxiv.org/abs/1503.03832. Source: sentence-transformers
 * `losses/BatchSemiHardTripletLoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([
 *   { text: 'How do I reset my password?', label: 0 },
 *   { text: 'I forgot my password.', label: 0 },
 *   { text: 'Where is my parcel?', label: 1 },
 * ])
 * const loss = new losses.BatchSemiHardTripletLoss({ margin: 1 })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class BatchSemiHardTripletLoss extends BatchTriplets {
  readonly type = 'BatchSemiHardTripletLoss'

  constructor(...args: LossArguments<BatchTripletLossOptions>) {
    super(OPTIONS, args)
  }
}
