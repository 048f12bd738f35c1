import { BinaryClassificationEvaluator, type BinaryClassificationEvaluatorOptions } from '../binary-classification.js'
import { type MaxActiveDims, SparseEvaluator } from './sparse-evaluator.js'
import { overallSparsity } from './watch.js'

/** Those of BinaryClassificationEvaluator, and `maxActiveDims`. */
export interface SparseBinaryClassificationEvaluatorOptions
  extends Omit<BinaryClassificationEvaluatorOptions, 'truncateDim'>,
    MaxActiveDims {}

/**
 * {@link BinaryClassificationEvaluator} of a sparse model.
 *
 * Further metrics: `active_dims` and `sparsity_ratio` of the different texts.
 * Source: sentence-transformers `SparseBinaryClassificationEvaluator`.
 *
 * @throws ERR_INVALID_ARGUMENT (also during evaluation: a model that is no SparseEncoder), ERR_UNKNOWN_OPTION, ERR_INVALID_DATA
 */
export class SparseBinaryClassificationEvaluator extends SparseEvaluator {
  constructor(options: SparseBinaryClassificationEvaluatorOptions) {
    super(
      'SparseBinaryClassificationEvaluator',
      options,
      (own, kind) => new BinaryClassificationEvaluator(own, kind),
      overallSparsity,
    )
  }
}
