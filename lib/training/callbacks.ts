import type { TrainingArguments } from './arguments.js'

/**
 * One record of the log: `loss, grad_norm, learning_rate, epoch` after training steps, `eval_…, epoch` after an
 * evaluation, `train_runtime, train_samples_per_second, train_steps_per_second, train_loss, epoch` at the end; the names
 * of transformers. `skipped_steps` is there when updates since the last record were skipped because of a gradient that was
 * not finite.
 */
export type LogRecord = Record<string, number>

/** Where training stands. Callbacks read it; only the trainer writes it. */
export interface TrainerState {
  /** Optimiser steps that are done. */
  globalStep: number
  /** Optimiser steps of the whole run. */
  maxSteps: number
  /** Passes over the data so far, with fraction. */
  epoch: number
  numTrainEpochs: number
  /** Rows that training steps have seen. */
  samplesSeen: number
  /** Updates skipped because of a gradient that was not finite, as far as reported. */
  skippedSteps: number
  /** Mean loss of the last report; undefined before the first. */
  lastLoss: number | undefined
  /** Every record so far, each with its `step`. */
  readonly logHistory: LogRecord[]
}

/** Set by callbacks, read and cleared by the trainer. */
export interface TrainerControl {
  shouldTrainingStop: boolean
  shouldEpochStop: boolean
  shouldSave: boolean
  shouldEvaluate: boolean
  shouldLog: boolean
}

export interface CallbackContext {
  readonly args: Readonly<TrainingArguments>
  readonly state: Readonly<TrainerState>
  readonly control: TrainerControl
}

type Answer = void | Promise<void>

/**
 * What can be heard while training; every method is optional and may be async (training waits for it).
 *
 * Two steps are in flight: `onStepEnd` of step n comes when n is done while n + 1 may already be running. A request made
 * there is met when no step is running, with `state.globalStep` saying where that is. Log, evaluation and checkpoint of one
 * step come in this order, none of them while a step is running. An error thrown by a callback ends training and rejects `train()`.
 */
export interface TrainerCallback {
  onTrainBegin?(context: CallbackContext): Answer
  onEpochBegin?(context: CallbackContext): Answer
  onStepBegin?(context: CallbackContext): Answer
  onStepEnd?(context: CallbackContext): Answer
  onEpochEnd?(context: CallbackContext): Answer
  onLog?(record: Readonly<LogRecord>, context: CallbackContext): Answer
  onEvaluate?(metrics: Readonly<LogRecord>, context: CallbackContext): Answer
  /** `folder`: the checkpoint that was written. */
  onSave?(folder: string, context: CallbackContext): Answer
  onTrainEnd?(context: CallbackContext): Answer
}

type Event = keyof TrainerCallback
type Arguments<E extends Event> = Parameters<NonNullable<TrainerCallback[E]>>

/** Calls every callback that listens to `event`, one after the other, in the order they were given. */
export async function emit<E extends Event>(
  callbacks: readonly TrainerCallback[],
  event: E,
  ...values: Arguments<E>
): Promise<void> {
  for (const callback of callbacks) {
    const method = callback[event] as ((...values: Arguments<E>) => Answer) | undefined
    if (method !== undefined) await method.apply(callback, values)
  }
}
