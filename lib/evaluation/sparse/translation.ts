import { TranslationEvaluator, type TranslationEvaluatorOptions } from '../translation.js'
import { type MaxActiveDims, SparseEvaluator } from './sparse-evaluator.js'
import { overallSparsity } from './watch.js'

/** Those of TranslationEvaluator, and `maxActiveDims`. */
export interface SparseTranslationEvaluatorOptions
  extends Omit<TranslationEvaluatorOptions, 'truncateDim'>,
    MaxActiveDims {}

/**
 * {@link TranslationEvaluator} of a sparse model.
 *
 * Further metrics: `active_dims` and `sparsity_ratio`, the mean of both sides.
 * Source: sentence-transformers `SparseTranslationEvaluator`.
 *
 * @throws ERR_INVALID_ARGUMENT (also during evaluation: a model that is no SparseEncoder), ERR_UNKNOWN_OPTION, ERR_INVALID_DATA
 */
export class SparseTranslationEvaluator extends SparseEvaluator {
  constructor(options: SparseTranslationEvaluatorOptions) {
    super('SparseTranslationEvaluator', options, (own, kind) => new TranslationEvaluator(own, kind), overallSparsity)
  }
}
