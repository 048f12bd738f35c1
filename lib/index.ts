/**
 * sentence-torch: fine-tune, evaluate and serve sentence-embedding models from Node. Everything public is exported here.
 */
export {
  type ClassifierFitOptions,
  type ContrastivePairsOptions,
  contrastivePairs,
  type LabelledTextsData,
  type LogisticHeadOptions,
  type PairSampling,
  type PredictTextsOptions,
  TextClassifier,
  type TextClassifierOptions,
} from './classification/index.js'
export {
  type DenseRows,
  EncodedFiles,
  type EncodedHit,
  type EncodedRows,
  type EncodedSearchOptions,
  type EncodeFilesOptions,
  type EncodeFilesResult,
  encodeFiles,
  type FileFormat,
  type IndexesHit,
  type MergedIndex,
  type MergeIndexesOptions,
  mergeIndexes,
  type RowBlock,
  type SearchIndexesOptions,
  type Shard,
  searchIndexes,
  type TextEncoder,
} from './corpus/index.js'
export {
  type ColumnKind,
  Dataset,
  type DatasetHubOptions,
  type DatasetRow,
  type Label,
  type SplitOptions,
  type TransformedRow,
  type Value,
  type WriteOptions,
} from './data/dataset.js'
export type { DataSource } from './data/feed.js'
export * from './data/legacy/index.js'
export { type MaskedTokens, type MaskingOptions, type MaskingSeeds, maskTokens, NO_TARGET } from './data/masking.js'
export { type Passage, type ReadTextsOptions, readTexts } from './data/read-texts.js'
export {
  type BatchGenerator,
  type BatchSampler,
  type BatchSamplerChoice,
  type BatchSamplerFactory,
  type BatchSamplerName,
  type CustomSamplerOptions,
  customBatchSampler,
  type SamplerOptions,
} from './data/samplers/index.js'
export type {
  MultiDatasetBatchSampler,
  MultiDatasetBatchSamplerChoice,
  MultiDatasetBatchSamplerFactory,
  MultiDatasetBatchSamplerName,
} from './data/samplers/multi-dataset.js'
export { DataStream, type DataStreamOptions, type StreamRow } from './data/stream.js'
export { TokenCache, type TokenCacheOptions } from './data/token-cache.js'
export { type ErrorCode, SentenceTorchError } from './errors.js'
export * as evaluation from './evaluation/index.js'
export { NotSavedError } from './io/rescue.js'
export * as crossEncoderLosses from './losses/cross-encoder/index.js'
export * as losses from './losses/index.js'
export * as multiVectorLosses from './losses/multi-vector/index.js'
export type { AdapterState } from './models/adapters/model-adapters.js'
export type { AdapterOptions } from './models/adapters/options.js'
export type { LoadAdapterOptions, SaveOptions } from './models/base-model.js'
export type { Priority } from './models/batcher.js'
export { CrossEncoder, type Pair, type RankedDocument, type Scores } from './models/cross-encoder.js'
export type { CrossEncoderLoadOptions, PredictOptions, RankOptions } from './models/cross-encoder-options.js'
export type { DistillationOptions } from './models/distillation/options.js'
export type { Embeddings, EmbeddingsLike } from './models/embeddings.js'
export type { TextSource } from './models/encode-stream.js'
export type { FeatureOptions, Features, ForwardOutput, TokenMatrix, TokenTensor } from './models/features.js'
export type { FromModulesOptions, ModelModules } from './models/from-modules.js'
export type { GeneratedText } from './models/generate.js'
export type { DownloadProgress } from './models/hub.js'
export type { MergeMethodName } from './models/merging/methods.js'
export type { MergeOptions } from './models/merging/options.js'
export type { MergeParameters, PerModel } from './models/merging/parameters.js'
export { Dense, type DenseActivation, type DenseOptions } from './models/modules/dense.js'
export { Dropout } from './models/modules/dropout.js'
export {
  HierarchicalTokenPooling,
  type HierarchicalTokenPoolingOptions,
} from './models/modules/hierarchical-token-pooling.js'
export { LayerNorm } from './models/modules/layer-norm.js'
export type { ModelModule } from './models/modules/module.js'
export { MultiVectorMask, type MultiVectorMaskOptions, type Task } from './models/modules/multi-vector-mask.js'
export { Normalize, type NormalizeOptions } from './models/modules/normalize.js'
export { Pooling, type PoolingMode, type PoolingOptions } from './models/modules/pooling.js'
export { type RouteModules, Router, type RouterOptions } from './models/modules/router.js'
export { SparseAutoEncoder, type SparseAutoEncoderOptions } from './models/modules/sparse-auto-encoder.js'
export {
  type FromJsonOptions,
  type NewSparseStaticEmbeddingOptions,
  SparseStaticEmbedding,
} from './models/modules/sparse-static-embedding.js'
export { SpladePooling, type SpladePoolingOptions } from './models/modules/splade-pooling.js'
export {
  type DistilledModel,
  type NewStaticEmbeddingOptions,
  StaticEmbedding,
} from './models/modules/static-embedding.js'
export {
  type NewTransformerOptions,
  Transformer,
  type TransformerOptions,
  type TransformerTask,
} from './models/modules/transformer.js'
export { WeightedLayerPooling, type WeightedLayerPoolingOptions } from './models/modules/weighted-layer-pooling.js'
export { LambdaTokenPooling, type PoolFunction } from './models/multi-vector/lambda-token-pooling.js'
export type { MultiVectorEncodeOptions, MultiVectorLoadOptions, TokenPooling } from './models/multi-vector/options.js'
export type { TokenData, TokenPrecision } from './models/multi-vector/precision.js'
export type { QueryExpansion } from './models/multi-vector/query-expansion.js'
export { maxSimMatrix, maxSimPairs, type TokenEmbeddingsLike } from './models/multi-vector/scores.js'
export {
  MultiVectorEncoder,
  type MultiVectorRankOptions,
  type RankedVectors,
} from './models/multi-vector-encoder.js'
export type { ExportOnnxOptions } from './models/onnx/export.js'
export type { OnnxDType } from './models/onnx/write-graph.js'
export { type ModuleDescription, SentenceTransformer } from './models/sentence-transformer.js'
export { Seq2SeqModel } from './models/seq2seq-model.js'
export type { GenerateOptions, Seq2SeqLoadOptions } from './models/seq2seq-options.js'
export { SparseEmbeddings, type SparseEmbeddingsParts, type SparseRow } from './models/sparse-embeddings.js'
export { SparseEncoder, type Sparsity, type WeightedToken } from './models/sparse-encoder.js'
export type { SparseEncoderModules, SparseFromModulesOptions } from './models/sparse-from-modules.js'
export type { SparseEncodeOptions, SparseLoadOptions, SparseModelOptions } from './models/sparse-options.js'
export {
  type AnyTokenEmbeddings,
  TokenEmbeddings,
  type TokenEmbeddingsOptions,
  type TokenRow,
} from './models/token-embeddings.js'
export type { EncodeOptions, LoadOptions, ModelOptions, SourceOptions } from './models/types.js'
export * as engine from './native/engine.js'
export type { Metric } from './native/types.js'
export * as plots from './plots/index.js'
export * as recipes from './recipes/index.js'
export * as report from './report/index.js'
export type { CommunityDetectionOptions } from './search/community-detection.js'
export {
  type CreateIndexOptions,
  EmbeddingIndex,
  type IndexHit,
  type IndexPrecision,
  type IndexRows,
  type IndexRowsLike,
  type IndexSearchOptions,
} from './search/embedding-index/embedding-index.js'
export type { AskOptions, NegativeWriter, PairJudge } from './search/hard-negatives/judge.js'
export type {
  Difficulty,
  MineHardNegativesOptions,
  NegativesFormat,
  PairScorer,
  PairScores,
} from './search/hard-negatives/options.js'
export type { MiningStatistics, NegativeSample } from './search/hard-negatives/statistics-types.js'
export { InvertedIndex } from './search/inverted-index.js'
export type {
  MinedPair,
  ParaphraseMiningEmbeddingsOptions,
  ParaphraseMiningOptions,
} from './search/paraphrase-mining.js'
export type { Precision, QuantizedData, QuantizedEmbeddings, QuantizeOptions } from './search/quantize.js'
export type { ReciprocalRankFusionOptions } from './search/reciprocal-rank-fusion.js'
export type { ScoreFunction } from './search/score-function.js'
export type { SearchHit, SemanticSearchOptions } from './search/semantic-search.js'
export * as util from './search/util.js'
export {
  type BaseTrainerOptions,
  type CallbackContext,
  type CallbackState,
  type CrossEncoderFitOptions,
  CrossEncoderTrainer,
  type CrossEncoderTrainerOptions,
  EarlyStoppingCallback,
  type EarlyStoppingOptions,
  type EvaluateOptions,
  type EvaluationNumbers,
  type EvaluatorChoice,
  type EvaluatorOf,
  type FitOptions,
  fitCrossEncoder,
  fitSentenceTransformer,
  type IntervalStrategy,
  type LogLevel,
  type LogRecord,
  type LossTensor,
  type LossTensors,
  MultiVectorEncoderTrainer,
  type MultiVectorEncoderTrainerOptions,
  type OptimizerName,
  type PartialTrainingArguments,
  type ProgressOutput,
  type ReportTo,
  type SaveStrategy,
  type SchedulerKwargs,
  type SchedulerType,
  SentenceTransformerTrainer,
  type SentenceTransformerTrainerOptions,
  Seq2SeqTrainer,
  type Seq2SeqTrainerOptions,
  SparseEncoderTrainer,
  type SparseEncoderTrainerOptions,
  type SparseEncoderTrainingArguments,
  SpladeRegularizerWeightSchedulerCallback,
  type SpladeRegularizerWeightSchedulerOptions,
  type TrainerCallback,
  type TrainerControl,
  type TrainerState,
  type TrainingAbortedError,
  type TrainingArguments,
  type TrainingEvent,
  type TrainingPrompts,
  type TrainingWarning,
  type TrainMetrics,
  type TrainOptions,
  type TrainResult,
  type WarningCode,
} from './training/index.js'
