export type { IntervalStrategy, TrainingArguments } from './arguments.js'
export type {
  CallbackContext,
  CallbackState,
  LogRecord,
  TrainerCallback,
  TrainerControl,
  TrainerState,
} from './callbacks.js'
export type { TrainingEvent } from './events.js'
export type { TrainingWarning, WarningCode } from './health/warning.js'
export type { LossTensor, LossTensors } from './loss-tensors.js'
export type { ProgressOutput } from './progress.js'
export { TrainingAbortedError, type TrainMetrics, type TrainResult } from './result.js'
export type { SchedulerType } from './schedule.js'
export { SentenceTransformerTrainer, type SentenceTransformerTrainerOptions } from './trainer.js'
