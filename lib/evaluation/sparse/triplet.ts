import { TripletEvaluator, type TripletEvaluatorOptions } from '../triplet.js'
import { type MaxActiveDims, SparseEvaluator } from './sparse-evaluator.js'
import { type SparsityWatch, sparsityOf } from './watch.js'

/** Those of TripletEvaluator, and `maxActiveDims`. */
export interface SparseTripletEvaluatorOptions extends Omit<TripletEvaluatorOptions, 'truncateDim'>, MaxActiveDims {}

/**
 * {@link TripletEvaluator} of a sparse model.
 *
 * Further metrics: `{anchor,positive,negative}_active_dims` and `…_sparsity_ratio`.
 * Source: sentence-transformers `SparseTripletEvaluator`.
 *
 * @throws ERR_INVALID_ARGUMENT (also during evaluation: a model that is no SparseEncoder), ERR_UNKNOWN_OPTION, ERR_INVALID_DATA
 */
export class SparseTripletEvaluator extends SparseEvaluator {
  constructor(options: SparseTripletEvaluatorOptions) {
    super('SparseTripletEvaluator', options, (own, kind) => new TripletEvaluator(own, kind), sparsityOfColumns)
  }
}

/** The columns are embedded in this order. */
function sparsityOfColumns({ calls }: SparsityWatch): Record<string, number> {
  const columns = ['anchor_', 'positive_', 'negative_'].map((prefix, i) => sparsityOf([calls[i]!], prefix))
  return Object.assign({}, ...columns)
}
