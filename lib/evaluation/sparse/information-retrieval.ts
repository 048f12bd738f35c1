import { InformationRetrievalEvaluator, type InformationRetrievalEvaluatorOptions } from '../information-retrieval.js'
import { type MaxActiveDims, SparseEvaluator } from './sparse-evaluator.js'
import { retrievalSparsity } from './watch.js'

/** Those of InformationRetrievalEvaluator, and `maxActiveDims`. */
export interface SparseInformationRetrievalEvaluatorOptions
  extends Omit<InformationRetrievalEvaluatorOptions, 'truncateDim'>,
    MaxActiveDims {}

/**
 * {@link InformationRetrievalEvaluator} of a sparse model, by a native inverted index of each chunk of the corpus.
 *
 * Further metrics: `query_active_dims`, `query_sparsity_ratio`, `corpus_active_dims`, `corpus_sparsity_ratio`, and `avg_flops`: the
 * multiplications of a query with a document, Σ over the columns of the share of queries times the share of documents with a value.
 * Source: sentence-transformers `SparseInformationRetrievalEvaluator`.
 *
 * @throws ERR_INVALID_ARGUMENT (also during evaluation: a model that is no SparseEncoder), ERR_UNKNOWN_OPTION, ERR_INVALID_DATA
 */
export class SparseInformationRetrievalEvaluator extends SparseEvaluator {
  constructor(options: SparseInformationRetrievalEvaluatorOptions) {
    super(
      'SparseInformationRetrievalEvaluator',
      options,
      (own, kind) => new InformationRetrievalEvaluator(own, kind),
      retrievalSparsity,
    )
  }
}
