import {
  CosineSimilarityLoss,
  type CosineSimilarityLossOptions,
  OPTIONS as PLAIN,
  NOT_BUILT as PLAIN_NOT_BUILT,
} from './cosine-similarity.js'
import { OF_SPARSE } from './wrapped.js'

export interface SparseCosineSimilarityLossOptions extends CosineSimilarityLossOptions {}

export const OPTIONS = PLAIN

export const NOT_BUILT = PLAIN_NOT_BUILT

/**
 * {@link CosineSimilarityLoss} for sparse embeddings, whose cosines go from 0 to 1. From then on the model's `similarity` is the cosine.
 *
 * - **Data**: (text_a, text_b) and a number from 0 to 1, as a cosine is. Labels are never rescaled.
 * - **Formula**: That of {@link CosineSimilarityLoss}.
 * - **Use**: Within {@link SpladeLoss} or {@link CSRLoss}.
 *
 * Source: sentence-transformers `sparse_encoder/losses/SparseCosineSimilarityLoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([
 *   { text_a: 'A cat sits outside.', text_b: 'A cat is outside.', label: 0.9 },
 *   { text_a: 'A cat sits outside.', text_b: 'A man plays guitar.', label: 0.1 },
 * ])
 * const loss = new losses.SparseCosineSimilarityLoss({ cosScoreTransformation: 'tanh' })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_NOT_IMPLEMENTED (`lossFct` other than `mse`)
 */
export class SparseCosineSimilarityLoss extends CosineSimilarityLoss {
  override readonly type = 'SparseCosineSimilarityLoss'
  readonly within = OF_SPARSE
  readonly similarityFnName = 'cosine'
}
