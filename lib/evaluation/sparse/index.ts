/** The evaluators of sparse models. */
export {
  SparseBinaryClassificationEvaluator,
  type SparseBinaryClassificationEvaluatorOptions,
} from './binary-classification.js'
export {
  SparseEmbeddingSimilarityEvaluator,
  type SparseEmbeddingSimilarityEvaluatorOptions,
} from './embedding-similarity.js'
export {
  SparseInformationRetrievalEvaluator,
  type SparseInformationRetrievalEvaluatorOptions,
} from './information-retrieval.js'
export { SparseMSEEvaluator, type SparseMSEEvaluatorOptions } from './mse.js'
export { SparseNanoBEIREvaluator, type SparseNanoBEIREvaluatorOptions } from './nano-beir.js'
export { SparseRerankingEvaluator, type SparseRerankingEvaluatorOptions } from './reranking.js'
export { SparseTranslationEvaluator, type SparseTranslationEvaluatorOptions } from './translation.js'
export { SparseTripletEvaluator, type SparseTripletEvaluatorOptions } from './triplet.js'
export type { EvaluatedSparseModel } from './watch.js'
