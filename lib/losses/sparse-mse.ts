import { MSELoss, type MSELossOptions, OPTIONS as PLAIN } from './mse.js'

export interface SparseMSELossOptions extends MSELossOptions {}

export const OPTIONS = PLAIN

/**
 * {@link MSELoss} for sparse embeddings: they become those of a teacher.
 *
 * - **Data**: (text, …) and an array of numbers as wide as the vocabulary, the teacher's embedding; or an array of such arrays, one for each
 *   text.
 * - **Formula**: That of {@link MSELoss}.
 * - **Use**: By itself, or within {@link SpladeLoss} or {@link CSRLoss}.
 *
 * Source: sentence-transformers `sparse_encoder/losses/SparseMSELoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([{ english: 'A cat sits outside.', label: [0, 1.2, 0.3] }])
 * const loss = new losses.SparseMSELoss({ projectionDim: 3 })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class SparseMSELoss extends MSELoss {
  override readonly type = 'SparseMSELoss'
}
