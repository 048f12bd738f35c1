import type { LossArguments } from './arguments.js'
import { BATCH_TRIPLETS, type BatchTripletLossOptions, BatchTriplets } from './batch-triplets.js'

export const OPTIONS = BATCH_TRIPLETS

/**
 * The hardest triplet of each text: the farthest text of its class and the nearest text of another.
 *
 * - **Data**: (text) and a whole number, its class.
 * - **Formula**: mean over the rows of max(d(a, hardest p) − d(a, hardest n) + margin, 0).
 * - **Batches**: A batch needs at least two texts of each class: take `batchSampler: 'group_by_label'`.
 * - **Relations**: {@link BatchHardSoftMarginTripletLoss} needs no margin.
 *
 * Paper: Hermans et al. 2017, https://arxiv.org/abs/1703.07737. Source: sentence-transformers `losses/BatchHardTripletLoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([
 *   { text: 'How do I reset my password?', label: 0 },
 *   { text: 'I forgot my password.', label: 0 },
 *   { text: 'Where is my parcel?', label: 1 },
 * ])
 * const loss = new losses.BatchHardTripletLoss({ margin: 1 })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class BatchHardTripletLoss extends BatchTriplets {
  readonly type = 'BatchHardTripletLoss'

  constructor(...args: LossArguments<BatchTripletLossOptions>) {
    super(OPTIONS, args)
  }
}
