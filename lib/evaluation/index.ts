/** The evaluators, one class each. */
export {
  EmbeddingSimilarityEvaluator,
  type EmbeddingSimilarityEvaluatorOptions,
  type SimilarityName,
} from './embedding-similarity.js'
export type { EvaluatedModel, EvaluationContext, EvaluationResult, Evaluator } from './evaluator.js'
