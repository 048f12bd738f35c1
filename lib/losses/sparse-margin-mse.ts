import { MarginMSELoss, type MarginMSELossOptions, OPTIONS as PLAIN } from './margin-mse.js'
import { OF_SPARSE } from './wrapped.js'

export interface SparseMarginMSELossOptions extends MarginMSELossOptions {}

export const OPTIONS = PLAIN

/**
 * {@link MarginMSELoss} for sparse embeddings.
 *
 * - **Data**: (query, positive, negative_1, … negative_n) and the teacher's margin s(q, p) − s(q, n), or an array of n margins or n + 1
 *   scores.
 * - **Formula**: That of {@link MarginMSELoss}.
 * - **Use**: Within {@link SpladeLoss} or {@link CSRLoss}.
 *
 * Source: sentence-transformers `sparse_encoder/losses/SparseMarginMSELoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([
 *   { query: 'capital of France', positive: 'Paris is the capital.', negative: 'Lyon is a city.', label: 4.2 },
 * ])
 * const loss = new losses.SparseMarginMSELoss({ similarityFct: 'pairwise_cos_sim' })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class SparseMarginMSELoss extends MarginMSELoss {
  override readonly type = 'SparseMarginMSELoss'
  readonly within = OF_SPARSE
}
