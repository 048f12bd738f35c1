/** The evaluators, one class each. */
export { type BeirDataset, type LoadBeirOptions, loadBeir } from './beir.js'
export { BinaryClassificationEvaluator, type BinaryClassificationEvaluatorOptions } from './binary-classification.js'
export {
  type BootstrapOptions,
  differenceText,
  metricInterval,
  type PairedClasses,
  type PairedInterval,
  type PairedScores,
  pairedBootstrap,
  pairedBootstrapCorrelation,
  pairedBootstrapF1,
} from './bootstrap.js'
export type { ClassificationData, ClassLabel } from './class-labels.js'
export type { SimilarityName } from './common.js'
export * from './cross-encoder/index.js'
export { EmbeddingSimilarityEvaluator, type EmbeddingSimilarityEvaluatorOptions } from './embedding-similarity.js'
export type {
  EvaluatedModel,
  EvaluatedRows,
  EvaluationContext,
  EvaluationResult,
  Evaluator,
  MetricItems,
} from './evaluator.js'
export { InformationRetrievalEvaluator, type InformationRetrievalEvaluatorOptions } from './information-retrieval.js'
export type { LabelledTexts } from './input-examples.js'
export type { RelevantDocs, TextsById } from './ir-options.js'
export { LabelAccuracyEvaluator, type LabelAccuracyEvaluatorOptions } from './label-accuracy.js'
export { MSEEvaluator, type MSEEvaluatorOptions } from './mse.js'
export { MSEEvaluatorFromDataset, type MSEEvaluatorFromDatasetOptions } from './mse-from-dataset.js'
export { Banking77Classification, type Banking77ClassificationOptions } from './mteb/banking77.js'
export { MTEB, type MtebData, type MtebRunOptions, type MtebTaskName } from './mteb/mteb.js'
export type { MtebScores, MtebTaskResult } from './mteb/task-result.js'
export * from './multi-vector/index.js'
export { NanoBEIREvaluator, type NanoBEIREvaluatorOptions } from './nano-beir.js'
export { ParaphraseMiningEvaluator, type ParaphraseMiningEvaluatorOptions } from './paraphrase-mining.js'
export {
  type FusionSample,
  ReciprocalRankFusionEvaluator,
  type ReciprocalRankFusionEvaluatorOptions,
} from './reciprocal-rank-fusion.js'
export { RerankingEvaluator, type RerankingEvaluatorOptions, type RerankingSample } from './reranking.js'
export {
  type MethodResult,
  type RankedEntry,
  type RankingMethod,
  type RetrieveAndRerankOptions,
  type RetrieveAndRerankResult,
  retrieveAndRerank,
} from './retrieve-and-rerank.js'
export { SentenceEvaluator } from './sentence-evaluator.js'
export { SequentialEvaluator, type SequentialEvaluatorOptions } from './sequential.js'
export * from './sparse/index.js'
export { TextClassificationEvaluator, type TextClassificationEvaluatorOptions } from './text-classification.js'
export { TranslationEvaluator, type TranslationEvaluatorOptions } from './translation.js'
export { TripletEvaluator, type TripletEvaluatorOptions } from './triplet.js'
