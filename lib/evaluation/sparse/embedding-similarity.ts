import { EmbeddingSimilarityEvaluator, type EmbeddingSimilarityEvaluatorOptions } from '../embedding-similarity.js'
import { type MaxActiveDims, SparseEvaluator } from './sparse-evaluator.js'
import { overallSparsity } from './watch.js'

/** Those of EmbeddingSimilarityEvaluator, and `maxActiveDims`. */
export interface SparseEmbeddingSimilarityEvaluatorOptions
  extends Omit<EmbeddingSimilarityEvaluatorOptions, 'truncateDim' | 'precision'>,
    MaxActiveDims {}

/**
 * {@link EmbeddingSimilarityEvaluator} of a sparse model.
 *
 * Further metrics: `active_dims` and `sparsity_ratio`, the mean of both sides.
 * Source: sentence-transformers `SparseEmbeddingSimilarityEvaluator`.
 *
 * @throws ERR_INVALID_ARGUMENT (also during evaluation: a model that is no SparseEncoder), ERR_UNKNOWN_OPTION, ERR_INVALID_DATA
 */
export class SparseEmbeddingSimilarityEvaluator extends SparseEvaluator {
  constructor(options: SparseEmbeddingSimilarityEvaluatorOptions) {
    super(
      'SparseEmbeddingSimilarityEvaluator',
      options,
      (own, kind) => new EmbeddingSimilarityEvaluator(own, kind),
      overallSparsity,
    )
  }
}
