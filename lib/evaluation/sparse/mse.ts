import { denseKind } from '../common.js'
import { checkTeacher, MSEEvaluator, type MSEEvaluatorOptions } from '../mse.js'
import { type MaxActiveDims, SparseEvaluator } from './sparse-evaluator.js'
import { type EvaluatedSparseModel, overallSparsity, SparsityWatch } from './watch.js'

/** Those of MSEEvaluator, and `maxActiveDims`, which holds for the teacher too. */
export interface SparseMSEEvaluatorOptions
  extends Omit<MSEEvaluatorOptions, 'truncateDim' | 'teacherModel'>,
    MaxActiveDims {
  /** The sparse model whose embeddings are the target. It embeds the sources once, when the evaluator is made. */
  teacherModel: Pick<EvaluatedSparseModel, 'encode'>
}

/**
 * {@link MSEEvaluator} of a sparse model: the mean over all values, zeros included.
 *
 * Further metrics: `active_dims` and `sparsity_ratio` of the target texts.
 * Source: sentence-transformers `SparseMSEEvaluator`.
 *
 * @throws ERR_INVALID_ARGUMENT (also during evaluation: a model that is no SparseEncoder), ERR_UNKNOWN_OPTION, ERR_INVALID_DATA
 */
export class SparseMSEEvaluator extends SparseEvaluator {
  constructor(options: SparseMSEEvaluatorOptions) {
    const make = ({ teacherModel, ...own }: SparseMSEEvaluatorOptions) => {
      checkTeacher('SparseMSEEvaluator', teacherModel)
      const { model } = new SparsityWatch(teacherModel as EvaluatedSparseModel, options.maxActiveDims)
      return new MSEEvaluator({ ...own, teacherModel: model }, denseKind('SparseMSEEvaluator'))
    }
    super('SparseMSEEvaluator', options, make, overallSparsity)
  }
}
