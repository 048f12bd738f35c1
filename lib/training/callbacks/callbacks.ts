import type { TrainingArguments } from '../arguments/arguments.js'
import type { TrainingWarning } from '../health/warning.js'

/**
 * One record of the log: `loss, grad_norm, learning_rate, epoch` after training steps, `eval_…, epoch` after an
 * evaluation, `train_runtime, train_samples_per_second, train_steps_per_second, train_loss, epoch` at the end; the names
 * of transformers. docs/reporting.md lists every key.
 */
export type LogRecord = Record<string, number>

/** How far training is. Callbacks read it; only the trainer writes it. */
export interface TrainerState {
  /** Optimiser steps done. */
  globalStep: number
  /** Optimiser steps of the whole run. */
  maxSteps: number
  /** Passes over the data so far, a fraction inside a pass. */
  epoch: number
  numTrainEpochs: number
  /** Rows that training steps have seen. */
  samplesSeen: number
  /** Updates skipped because of a gradient that was not finite, up to the last report. */
  skippedSteps: number
  /** Mean loss of the last report; undefined before the first. */
  lastLoss: number | undefined
  /** Best value of `metricForBestModel` so far and its step; null before the first. */
  bestMetric: number | null
  bestGlobalStep: number | null
  /** The checkpoint of that step; null until it is written. */
  bestModelCheckpoint: string | null
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

export function newState(): TrainerState {
  return {
    ...{ globalStep: 0, maxSteps: 0, epoch: 0, numTrainEpochs: 0, samplesSeen: 0, skippedSteps: 0 },
    lastLoss: undefined,
    ...{ bestMetric: null, bestGlobalStep: null, bestModelCheckpoint: null },
    logHistory: [],
  }
}

export function newControl(): TrainerControl {
  return {
    shouldTrainingStop: false,
    shouldEpochStop: false,
    shouldSave: false,
    shouldEvaluate: false,
    shouldLog: false,
  }
}

export interface CallbackContext {
  readonly args: Readonly<TrainingArguments>
  readonly state: Readonly<TrainerState>
  readonly control: TrainerControl
}

/** A callback's state in checkpoints: any JSON value. */
export type CallbackState = string | number | boolean | null | CallbackState[] | { [key: string]: CallbackState }

type Answer = void | Promise<void>

/**
 * The events of a training. Every method is optional and may be async: training waits for it. Only `onInitEnd` has to be
 * synchronous, because the constructor calls it.
 *
 * Two steps are in flight: `onStepEnd` of step n comes when n is done, while n + 1 may already be running. What a callback
 * asks for there (`control.shouldSave`, …) is done as soon as no step is running; `state.globalStep` is the step by then.
 * Log, evaluation and checkpoint of one step come in this order, and no step is running meanwhile. An error thrown by a
 * callback ends training and rejects `train()`.
 *
 * Events of transformers that cannot happen here (`onPreOptimizerStep` and others, see docs/reporting.md) are refused by
 * name, and so are misspelt ones.
 */
export interface TrainerCallback {
  /** The trainer is constructed. Has to be synchronous. */
  onInitEnd?(context: CallbackContext): void
  onTrainBegin?(context: CallbackContext): Answer
  onEpochBegin?(context: CallbackContext): Answer
  /** An optimiser step is about to be given to the engine; the step before it may be running. */
  onStepBegin?(context: CallbackContext): Answer
  /** With `gradientAccumulationSteps`: a batch is done that is not the last of its step. */
  onSubstepEnd?(context: CallbackContext): Answer
  onStepEnd?(context: CallbackContext): Answer
  onEpochEnd?(context: CallbackContext): Answer
  onLog?(record: Readonly<LogRecord>, context: CallbackContext): Answer
  /** A batch of an evaluation dataset is done. */
  onPredictionStep?(context: CallbackContext): Answer
  onEvaluate?(metrics: Readonly<LogRecord>, context: CallbackContext): Answer
  /** `folder`: the checkpoint that was written. */
  onSave?(folder: string, context: CallbackContext): Answer
  /** Something looks wrong; docs/reporting.md lists the codes. Each warning comes once in a run. */
  onWarning?(warning: TrainingWarning, context: CallbackContext): Answer
  onTrainEnd?(context: CallbackContext): Answer
  /** What checkpoints keep of this callback (`stateful_callbacks` of trainer_state.json). */
  state?(): CallbackState
  /** Receives the result of `state` before training resumes from a checkpoint. */
  loadState?(state: CallbackState): void
}

/** The names of the events, in the order of their first time in a run. */
export const CALLBACK_EVENTS = [
  ...['onInitEnd', 'onTrainBegin', 'onEpochBegin', 'onStepBegin', 'onSubstepEnd', 'onStepEnd', 'onLog'],
  ...['onPredictionStep', 'onEvaluate', 'onSave', 'onEpochEnd', 'onWarning', 'onTrainEnd'],
] as readonly CallbackEvent[]

export type CallbackEvent = Exclude<keyof TrainerCallback, 'state' | 'loadState'>
