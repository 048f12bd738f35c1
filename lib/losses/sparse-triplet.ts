import { OPTIONS as PLAIN, TripletLoss, type TripletLossOptions } from './triplet.js'
import { OF_SPARSE } from './wrapped.js'

export interface SparseTripletLossOptions extends TripletLossOptions {}

export const OPTIONS = PLAIN

/**
 * {@link TripletLoss} for sparse embeddings.
 *
 * - **Data**: (anchor, positive, negative); no labels.
 * - **Formula**: That of {@link TripletLoss}.
 * - **Use**: Within {@link SpladeLoss} or {@link CSRLoss}.
 *
 * Source: sentence-transformers `sparse_encoder/losses/SparseTripletLoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([
 *   { anchor: 'A cat sits outside.', positive: 'A cat is outside.', negative: 'A cat sleeps inside.' },
 * ])
 * const loss = new losses.SparseTripletLoss({ tripletMargin: 1 })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class SparseTripletLoss extends TripletLoss {
  override readonly type = 'SparseTripletLoss'
  readonly within = OF_SPARSE
}
