import type { Embeddings } from '../../models/embeddings.js'
import type { SparseEmbeddings } from '../../models/sparse-embeddings.js'
import type { SimilarityName } from '../common.js'
import { RerankingEvaluator, type RerankingEvaluatorOptions } from '../reranking.js'
import { type MaxActiveDims, SparseEvaluator } from './sparse-evaluator.js'
import { sidesSparsity } from './watch.js'

/** Those of RerankingEvaluator, and `maxActiveDims`. */
export interface SparseRerankingEvaluatorOptions
  extends Omit<RerankingEvaluatorOptions, 'truncateDim' | 'similarityFct'>,
    MaxActiveDims {
  /** The score that ranks documents: a similarity, or a function that returns [1, documents]. Default `cosine`. */
  similarityFct?: SimilarityName | ((query: SparseEmbeddings, documents: SparseEmbeddings) => Pick<Embeddings, 'data'>)
}

/**
 * {@link RerankingEvaluator} of a sparse model.
 *
 * Further metrics: `query_active_dims`, `query_sparsity_ratio`, `corpus_active_dims`, `corpus_sparsity_ratio`; with
 * `useBatchedEncoding: false` means over the samples, as in Python.
 * Source: sentence-transformers `SparseRerankingEvaluator`.
 *
 * @throws ERR_INVALID_ARGUMENT (also during evaluation: a model that is no SparseEncoder), ERR_UNKNOWN_OPTION, ERR_INVALID_DATA
 */
export class SparseRerankingEvaluator extends SparseEvaluator {
  constructor(options: SparseRerankingEvaluatorOptions) {
    super(
      'SparseRerankingEvaluator',
      options,
      (own, kind) => new RerankingEvaluator(own, kind),
      (watch) => sidesSparsity(watch),
    )
  }
}
