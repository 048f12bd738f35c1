import { CoSENTLoss, type CoSENTLossOptions, OPTIONS as PLAIN } from './cosent.js'
import { OF_SPARSE } from './wrapped.js'

export interface SparseCoSENTLossOptions extends CoSENTLossOptions {}

export const OPTIONS = PLAIN

/**
 * {@link CoSENTLoss} for sparse embeddings. From then on the model's `similarity` is the cosine.
 *
 * - **Data**: (text_a, text_b) and a number of any range.
 * - **Formula**: That of {@link CoSENTLoss}.
 * - **Use**: Within {@link SpladeLoss} or {@link CSRLoss}.
 *
 * Source: sentence-transformers `sparse_encoder/losses/SparseCoSENTLoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([
 *   { text_a: 'A cat sits outside.', text_b: 'A cat is outside.', label: 0.9 },
 *   { text_a: 'A cat sits outside.', text_b: 'A man plays guitar.', label: 0.1 },
 * ])
 * const loss = new losses.SparseCoSENTLoss({ scale: 10 })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class SparseCoSENTLoss extends CoSENTLoss {
  override readonly type = 'SparseCoSENTLoss'
  readonly within = OF_SPARSE
  readonly similarityFnName = 'cosine'
}
