import { SentenceTorchError } from '../../errors.js'
import type { LossTensors } from '../checkpoint/loss-tensors.js'

export interface TrainMetrics {
  /** Seconds from start to end, with evaluations and checkpoints. */
  trainRuntime: number
  /** Rows of the training data per second. */
  trainSamplesPerSecond: number
  /** Optimiser steps per second. */
  trainStepsPerSecond: number
  /** Mean loss of all batches. */
  trainLoss: number
  epoch: number
}

export interface TrainResult {
  /** Optimiser steps that were done. */
  globalStep: number
  /** Mean loss of all batches; NaN if there was none. */
  trainingLoss: number
  /** Updates skipped because of a gradient that was not finite. */
  skippedSteps: number
  /** The parameters that the loss owns, after training; `{}` for a loss without any. */
  lossTensors: LossTensors
  metrics: TrainMetrics
}

/** The reason of an abort by a signal to the process, with `handleSignals`. */
export class ProcessSignal extends SentenceTorchError {
  readonly signal: 'SIGINT' | 'SIGTERM'

  constructor(signal: 'SIGINT' | 'SIGTERM') {
    super('ERR_ABORTED', `The process got ${signal}`)
    this.signal = signal
  }
}

/**
 * Training was stopped by its AbortSignal or by a signal to the process (`handleSignals`), after the steps that were running.
 * The model has the weights of `result` and can be used, saved and trained again.
 */
export class TrainingAbortedError extends SentenceTorchError {
  /** The result up to that step. */
  readonly result: TrainResult
  /** The last checkpoint, if any was written. It is of the last step, unless `saveStrategy` is `no` and there is no `signal`. */
  readonly checkpoint: string | undefined
  /** The signal to the process that stopped training. */
  readonly signal: 'SIGINT' | 'SIGTERM' | undefined

  constructor(result: TrainResult, reason: unknown, checkpoint?: string) {
    const why = reason instanceof ProcessSignal ? ` by ${reason.signal}` : ''
    super('ERR_ABORTED', `Training was aborted${why} after step ${result.globalStep}`, { cause: reason })
    this.name = 'AbortError'
    this.result = result
    this.checkpoint = checkpoint
    this.signal = reason instanceof ProcessSignal ? reason.signal : undefined
  }
}
