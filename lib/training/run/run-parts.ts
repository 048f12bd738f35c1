import type { NativeTrainer, StepOptions } from '../../native/types.js'
import type { BatchSource } from '../batches/source.js'
import type { TrainerCallback } from '../callbacks/callbacks.js'
import type { CheckpointParts } from '../checkpoint/checkpoint.js'
import type { HealthMonitor } from '../health/monitor.js'
import type { Timings } from '../reporting/timings.js'
import type { EvaluationParts } from './evaluation.js'
import type { Gate } from './gate.js'

/** Everything that a run works with. */
export interface RunParts extends EvaluationParts, CheckpointParts {
  native: Pick<NativeTrainer, 'step' | 'evaluate' | 'tensors' | 'dump' | 'counters'>
  train: BatchSource
  /** Peak learning rates by group of parameters; absent: one for all. */
  groupRates?: readonly number[] | undefined
  /** How batches of loss number `loss` are cut for gradient caching. */
  miniBatch?: ((loss: number) => Pick<StepOptions, 'miniBatchRows' | 'miniBatchTokens'>) | undefined
  /** Whether a report costs nothing because there is no device to wait for. */
  reportsAreFree: boolean
  callbacks: readonly TrainerCallback[]
  /** Gives the model the weights of a checkpoint, and the losses their parameters. */
  loadBest?: ((folder: string) => Promise<void>) | undefined
  /** Where the time goes, with `logTimings`. */
  timings?: Timings | undefined
  /** Looks for what goes wrong. */
  health?: Pick<HealthMonitor, 'start' | 'observe'> | undefined
  /** Closed while training is paused. */
  gate?: Gate | undefined
}

/** How far an epoch is: what a resumed run goes on from. */
export interface Position {
  epoch: number
  /** Batches of the epoch that were trained on. */
  batches: number
}
