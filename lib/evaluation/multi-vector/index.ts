/** The evaluators of multi-vector models. */
export { MultiVectorDistillationEvaluator, type MultiVectorDistillationEvaluatorOptions } from './distillation.js'
export {
  MultiVectorInformationRetrievalEvaluator,
  type MultiVectorInformationRetrievalEvaluatorOptions,
} from './information-retrieval.js'
export type { EvaluatedMultiVectorModel } from './model.js'
export { MultiVectorNanoBEIREvaluator, type MultiVectorNanoBEIREvaluatorOptions } from './nano-beir.js'
export { MultiVectorRerankingEvaluator, type MultiVectorRerankingEvaluatorOptions } from './reranking.js'
export { MultiVectorTripletEvaluator, type MultiVectorTripletEvaluatorOptions } from './triplet.js'
