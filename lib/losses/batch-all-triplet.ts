import type { LossArguments } from './arguments.js'
import { BATCH_TRIPLETS, type BatchTripletLossOptions, BatchTriplets } from './batch-triplets.js'

export const OPTIONS = BATCH_TRIPLETS

/**
 * All triplets that the labels of a batch allow: two texts of one class and one of another.
 *
 * - **Data**: (text) and a whole number, its class.
 * - **Formula**: mean of max(d(a, p) − d(a, n) + margin, 0) over the triplets for which it is above 0.
 * - **Batches**: A batch needs at least two texts of some class: take `batchSampler: 'group_by_label'`.
 * - **Relations**: {@link BatchHardTripletLoss} and {@link BatchSemiHardTripletLoss} choose among the triplets.
 *
 * Paper: Hermans et al. 2017, https://arxiv.org/abs/1703.07737. Source: sentence-transformers `losses/BatchAllTripletLoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([
 *   { text: 'How do I reset my password?', label: 0 },
 *   { text: 'I forgot my password.', label: 0 },
 *   { text: 'Where is my parcel?', label: 1 },
 * ])
 * const loss = new losses.BatchAllTripletLoss({ margin: 1 })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class BatchAllTripletLoss extends BatchTriplets {
  readonly type = 'BatchAllTripletLoss'

  constructor(...args: LossArguments<BatchTripletLossOptions>) {
    super(OPTIONS, args)
  }
}
