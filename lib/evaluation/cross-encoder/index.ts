/** The evaluators of cross-encoders, one class each. */
export {
  CrossEncoderClassificationEvaluator,
  type CrossEncoderClassificationEvaluatorOptions,
} from './classification.js'
export type { CrossEncoderEvaluator, EvaluatedCrossEncoder, InputExample, PairOptions } from './common.js'
export { CrossEncoderCorrelationEvaluator, type CrossEncoderCorrelationEvaluatorOptions } from './correlation.js'
export * from './deprecated.js'
export { CrossEncoderNanoBEIREvaluator, type CrossEncoderNanoBEIREvaluatorOptions } from './nano-beir.js'
export {
  CrossEncoderRerankingEvaluator,
  type CrossEncoderRerankingEvaluatorOptions,
  type CrossEncoderRerankingSample,
} from './reranking.js'
