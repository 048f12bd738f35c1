import { denseKind } from '../common.js'
import type { EvaluatedModel } from '../evaluator.js'
import { NanoBEIREvaluator, type NanoBEIREvaluatorOptions } from '../nano-beir.js'
import { SparseInformationRetrievalEvaluator } from './information-retrieval.js'
import { type MaxActiveDims, SparseEvaluator } from './sparse-evaluator.js'
import { type EvaluatedSparseModel, retrievalSparsity } from './watch.js'

/** Those of NanoBEIREvaluator, and `maxActiveDims`. */
export interface SparseNanoBEIREvaluatorOptions extends Omit<NanoBEIREvaluatorOptions, 'truncateDim'>, MaxActiveDims {}

/**
 * {@link NanoBEIREvaluator} of a sparse model, from the hub or from local folders. The number of `maxActiveDims` follows all names.
 *
 * Further metrics of every set, and over all queries and documents of the sets: `query_active_dims`, `query_sparsity_ratio`,
 * `corpus_active_dims`, `corpus_sparsity_ratio`, `avg_flops`. Source: sentence-transformers `SparseNanoBEIREvaluator`.
 *
 * @throws as `NanoBEIREvaluator`; ERR_INVALID_ARGUMENT during evaluation for a model that is no SparseEncoder
 */
export class SparseNanoBEIREvaluator extends SparseEvaluator {
  constructor(options: SparseNanoBEIREvaluatorOptions = {}) {
    const where = 'SparseNanoBEIREvaluator'
    const { maxActiveDims } = options
    const make = (own: NanoBEIREvaluatorOptions) =>
      new NanoBEIREvaluator(own, {
        ...denseKind(where),
        suffix: maxActiveDims === undefined ? '' : `_${maxActiveDims}`,
        retrieval: (given) => {
          const set = new SparseInformationRetrievalEvaluator({ ...given, ...(maxActiveDims && { maxActiveDims }) })
          // The model is the sparse one of the call.
          return {
            name: set.name,
            evaluate: (model: EvaluatedModel, context) =>
              set.evaluate(model as unknown as EvaluatedSparseModel, context),
          }
        },
      })
    super(where, options, make, retrievalSparsity)
  }
}
