export type { IntervalStrategy, PartialTrainingArguments, SaveStrategy, TrainingArguments } from './arguments.js'
export type { BaseTrainerOptions, EvaluateOptions, EvaluatorOf, TrainOptions } from './base-trainer.js'
export type {
  CallbackContext,
  CallbackState,
  LogRecord,
  TrainerCallback,
  TrainerControl,
  TrainerState,
} from './callbacks.js'
export { type CrossEncoderFitOptions, fitCrossEncoder } from './cross-encoder-fit.js'
export { CrossEncoderTrainer, type CrossEncoderTrainerOptions } from './cross-encoder-trainer.js'
export { EarlyStoppingCallback, type EarlyStoppingOptions } from './early-stopping.js'
export type { EvaluationNumbers, EvaluatorChoice } from './evaluator-choice.js'
export type { TrainingEvent } from './events.js'
export { type FitOptions, fitSentenceTransformer } from './fit.js'
export type { TrainingWarning, WarningCode } from './health/warning.js'
export type { LossTensor, LossTensors } from './loss-tensors.js'
export type { OptimizerName } from './optimizer.js'
export type { ProgressOutput } from './progress.js'
export type { TrainingPrompts } from './prompts.js'
export type { LogLevel, ReportTo } from './reporting/arguments.js'
export { TrainingAbortedError, type TrainMetrics, type TrainResult } from './result.js'
export type { SchedulerKwargs, SchedulerType } from './schedule.js'
export { SentenceTransformerTrainer, type SentenceTransformerTrainerOptions } from './trainer.js'
