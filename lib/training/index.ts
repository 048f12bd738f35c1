export type {
  IntervalStrategy,
  PartialTrainingArguments,
  SaveStrategy,
  TrainingArguments,
} from './arguments/arguments.js'
export type { LogLevel, ReportTo } from './arguments/log-arguments.js'
export type { OptimizerName } from './arguments/optimizer.js'
export type { TrainingPrompts } from './arguments/prompts.js'
export type { SchedulerKwargs, SchedulerType } from './arguments/schedule.js'
export type {
  CallbackContext,
  CallbackState,
  LogRecord,
  TrainerCallback,
  TrainerControl,
  TrainerState,
} from './callbacks/callbacks.js'
export { EarlyStoppingCallback, type EarlyStoppingOptions } from './callbacks/early-stopping.js'
export {
  SpladeRegularizerWeightSchedulerCallback,
  type SpladeRegularizerWeightSchedulerOptions,
} from './callbacks/splade-weights.js'
export type { LossTensor, LossTensors } from './checkpoint/loss-tensors.js'
export { CrossEncoderTrainer, type CrossEncoderTrainerOptions } from './cross-encoder-trainer.js'
export type { TrainingWarning, WarningCode } from './health/warning.js'
export { type CrossEncoderFitOptions, fitCrossEncoder } from './legacy/cross-encoder-fit.js'
export { type FitOptions, fitSentenceTransformer } from './legacy/fit.js'
export {
  MultiVectorEncoderTrainer,
  type MultiVectorEncoderTrainerOptions,
} from './multi-vector-encoder-trainer.js'
export type { ProgressOutput } from './reporting/progress.js'
export type { EvaluationNumbers, EvaluatorChoice, EvaluatorOf } from './run/evaluator-choice.js'
export type { TrainingEvent } from './run/events.js'
export { TrainingAbortedError, type TrainMetrics, type TrainResult } from './run/result.js'
export { SentenceTransformerTrainer, type SentenceTransformerTrainerOptions } from './sentence-transformer-trainer.js'
export { Seq2SeqTrainer, type Seq2SeqTrainerOptions } from './seq2seq-trainer.js'
export {
  SparseEncoderTrainer,
  type SparseEncoderTrainerOptions,
  type SparseEncoderTrainingArguments,
} from './sparse-encoder-trainer.js'
export type { BaseTrainerOptions, EvaluateOptions, TrainOptions } from './trainer-options.js'
