import type { LossArguments } from './arguments.js'
import { BATCH_DISTANCE, type BatchDistanceOptions, BatchTriplets } from './batch-triplets.js'

export const OPTIONS = BATCH_DISTANCE

/**
 * {@link BatchHardTripletLoss} with a soft margin, which needs no setting and has no limit.
 *
 * - **Data**: (text) and a whole number, its class.
 * - **Formula**: mean over the rows of log(1 + exp(d(a, hardest p) − d(a, hardest n))).
 * - **Batches**: A batch needs at least two texts of each class: take `batchSampler: 'group_by_label'`.
 *
 * Paper: Hermans et al. 2017, https://arxiv.org/abs/1703.07737. Source: sentence-transformers
 * `losses/BatchHardSoftMarginTripletLoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([
 *   { text: 'How do I reset my password?', label: 0 },
 *   { text: 'I forgot my password.', label: 0 },
 *   { text: 'Where is my parcel?', label: 1 },
 * ])
 * const loss = new losses.BatchHardSoftMarginTripletLoss({ distanceMetric: 'cosine' })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class BatchHardSoftMarginTripletLoss extends BatchTriplets {
  readonly type = 'BatchHardSoftMarginTripletLoss'

  constructor(...args: LossArguments<BatchDistanceOptions>) {
    super(OPTIONS, args)
  }
}
