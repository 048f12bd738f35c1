import { join } from 'node:path'
import { prefetch } from '../data/prefetch.js'
import { fromNative } from '../errors.js'
import type { NativeTrainer, PackedBatch, StepReport } from '../native/types.js'
import { type BatchSource, batchGroups, rowsOf } from './batches.js'
import {
  type CallbackContext,
  type CallbackEvent,
  emit,
  type LogRecord,
  newControl,
  newState,
  type TrainerCallback,
  type TrainerControl,
} from './callbacks.js'
import { type CheckpointParts, saveCheckpoint } from './checkpoint.js'
import { type EvaluationParts, evaluationRecord } from './evaluation-record.js'
import { type Due, planRun, type RunPlan } from './flow.js'
import type { Gate } from './gate.js'
import { emitProcessWarning, type TrainingWarning } from './health/warning.js'
import { LossMean } from './loss-mean.js'
import { dumpLossTensors } from './loss-tensors.js'
import { savingCheckpoint, TRAINING_COMPLETED } from './reporting/messages.js'
import type { Timings } from './reporting/timings.js'
import { roundTo, TrainingAbortedError, type TrainResult } from './result.js'
import { makeSchedule } from './schedule.js'

/** Everything that a run works with. */
export interface RunParts extends EvaluationParts, CheckpointParts {
  native: Pick<NativeTrainer, 'step' | 'evaluate' | 'tensors' | 'dump'>
  train: BatchSource
  /** Whether a report costs nothing because there is no device to wait for. */
  reportsAreFree: boolean
  callbacks: readonly TrainerCallback[]
  /** Prints a message of level INFO where `logLevel` asks for it. */
  say?: ((text: string) => void) | undefined
  /** Where the time goes, with `logTimings`. */
  timings?: Timings | undefined
  /** Closed while training is paused. */
  gate?: Gate | undefined
}

interface RunningStep {
  promise: Promise<StepReport | undefined>
  /** Set on the batch that ends an optimiser step. */
  ends?: { step: number; epoch: number; learningRate: number; rows: number }
}

/** The bookkeeping of one `train()`: what is submitted, what is done, and what is due. The loop is in trainer.ts. */
export class TrainingRun {
  readonly plan: RunPlan
  /** Optimiser steps given to the engine; `state.globalStep` of them are done. */
  submitted = 0
  readonly state = newState()
  readonly control: TrainerControl = newControl()
  readonly #parts: RunParts
  readonly #context: CallbackContext
  readonly #schedule: (step: number) => number
  readonly #started = performance.now()
  /** The step that was given to the engine last; with the one before it at most two are in flight. */
  #running: RunningStep | undefined
  #learningRate = 0
  #gradNorm = Number.NaN
  #sinceLog = new LossMean()
  readonly #all = new LossMean()
  #loggedStep = 0
  #skippedSinceLog = 0
  #saved: { step: number; folder: string } | undefined

  constructor(parts: RunParts) {
    const { args, train } = parts
    this.#parts = parts
    this.plan = planRun(args, train.sampler.length)
    this.#schedule = makeSchedule({
      type: args.lrSchedulerType,
      learningRate: args.learningRate,
      warmupSteps: this.plan.warmupSteps,
      totalSteps: this.plan.maxSteps,
    })
    const { maxSteps, epochs } = this.plan
    Object.assign(this.state, { maxSteps, numTrainEpochs: epochs })
    this.#context = { args, state: this.state, control: this.control }
  }

  /** Whether epoch number `epoch` (from 0) is begun. */
  wantsEpoch(epoch: number): boolean {
    return !this.isOver && (this.#parts.args.maxSteps > 0 || epoch < this.plan.epochs)
  }

  get isOver(): boolean {
    return this.control.shouldTrainingStop || this.submitted >= this.plan.maxSteps
  }

  /** The batches of each optimiser step of an epoch, made two steps ahead. */
  groups(epoch: number): AsyncIterable<PackedBatch[]> {
    const { train, args, timings } = this.#parts
    const groups = batchGroups(train, epoch, args.gradientAccumulationSteps, this.plan.stepsPerEpoch)
    return timings ? timings.waiting(prefetch(timings.making(groups), 2)) : prefetch(groups, 2)
  }

  emit(event: Exclude<CallbackEvent, 'onInitEnd' | 'onLog' | 'onEvaluate' | 'onSave' | 'onWarning'>): Promise<void> {
    return emit(this.#parts.callbacks, event, this.#context)
  }

  /** Tells the callbacks and the process that something looks wrong. */
  async warn(warning: TrainingWarning): Promise<void> {
    emitProcessWarning(warning)
    await emit(this.#parts.callbacks, 'onWarning', warning, this.#context)
  }

  /** While training is paused: waits, with no step running, until it goes on or is aborted. */
  async pause(): Promise<void> {
    const { gate, signal } = this.#parts
    if (!gate?.isClosed) return
    await this.settle()
    this.#parts.timings?.suspend()
    await gate.pass(signal)
  }

  /** Gives one optimiser step to the engine and waits for the one before it. `epoch`: passes over the data after it. */
  async step(group: readonly PackedBatch[], epoch: number): Promise<Due> {
    const step = ++this.submitted
    this.#parts.timings?.resume()
    const due = this.plan.dueAfterStep(step)
    const learningRate = this.#schedule(step)
    const ending = step === this.plan.maxSteps || Number.isInteger(epoch)
    const report = this.#parts.reportsAreFree || due.log || this.control.shouldLog || ending
    const rows = group.reduce((sum, batch) => sum + rowsOf(batch), 0)
    for (const [i, batch] of group.entries()) {
      const update = i === group.length - 1
      const promise = this.#parts.native.step(batch, {
        lr: learningRate,
        lossScale: 1 / group.length,
        update,
        report: report && update,
      })
      // Whoever waits for it handles a failure; a second failing step must not count as unhandled meanwhile.
      promise.catch(() => {})
      const previous = this.#running
      this.#running = { promise, ...(update && { ends: { step, epoch, learningRate, rows } }) }
      if (previous !== undefined) await this.#finish(previous)
    }
    return due
  }

  /** Waits for what is in flight. */
  async settle(): Promise<void> {
    const running = this.#running
    this.#running = undefined
    if (running !== undefined) await this.#finish(running)
  }

  /** Waits for what is in flight without looking at it, after an error. */
  async abandon(): Promise<void> {
    await this.#running?.promise.catch(() => {})
    this.#running = undefined
  }

  /** Whether something is due or was asked for by a callback, for which no step may be running. */
  asksFor(due: Due): boolean {
    const { shouldLog, shouldEvaluate, shouldSave } = this.control
    return due.log || due.evaluate || due.save || shouldLog || shouldEvaluate || shouldSave
  }

  /** Logs, evaluates and saves what is due or was asked for. No step is running. */
  async meet(due: Due): Promise<void> {
    this.#parts.timings?.suspend()
    if (this.#take('shouldLog') || due.log) await this.#log()
    if (this.#take('shouldEvaluate') || due.evaluate) await this.#evaluate()
    if (this.#take('shouldSave') || due.save) await this.#save()
  }

  /** Ends the run after an abort: with a last checkpoint, unless checkpoints are off. No step is running. */
  async aborted(reason: unknown): Promise<TrainingAbortedError> {
    const { globalStep } = this.state
    if (this.#parts.args.saveStrategy !== 'no' && globalStep > 0 && globalStep !== this.#saved?.step) await this.#save()
    return new TrainingAbortedError(await this.result(), reason, this.#saved?.folder)
  }

  /** The last record; ends the run. */
  async finish(): Promise<TrainResult> {
    const result = await this.result()
    const { trainRuntime, trainSamplesPerSecond, trainStepsPerSecond, trainLoss, epoch } = result.metrics
    await this.#record({
      train_runtime: trainRuntime,
      train_samples_per_second: trainSamplesPerSecond,
      train_steps_per_second: trainStepsPerSecond,
      train_loss: trainLoss,
      epoch,
    })
    this.#parts.say?.(TRAINING_COMPLETED)
    await this.emit('onTrainEnd')
    return result
  }

  /** What was done so far. No step is running. */
  async result(): Promise<TrainResult> {
    const { globalStep, samplesSeen, skippedSteps, epoch } = this.state
    const seconds = (performance.now() - this.#started) / 1000
    const trainLoss = this.#all.value
    return {
      globalStep,
      trainingLoss: trainLoss,
      skippedSteps,
      lossTensors: await dumpLossTensors(this.#parts.native),
      metrics: {
        trainRuntime: roundTo(seconds, 4),
        trainSamplesPerSecond: roundTo(samplesSeen / seconds, 3),
        trainStepsPerSecond: roundTo(globalStep / seconds, 3),
        trainLoss,
        epoch,
      },
    }
  }

  async #finish({ promise, ends }: RunningStep): Promise<void> {
    let report: StepReport | undefined
    try {
      report = await promise
    } catch (error) {
      throw fromNative(error, 'Trainer.step')
    }
    if (ends === undefined) return this.emit('onSubstepEnd')
    this.state.globalStep = ends.step
    this.state.epoch = ends.epoch
    this.state.samplesSeen += ends.rows
    this.#learningRate = ends.learningRate
    if (report !== undefined) this.#gather(report)
    await this.emit('onStepEnd')
  }

  #gather(report: StepReport): void {
    this.#sinceLog.add(report)
    this.#all.add(report)
    this.#gradNorm = report.gradNorm
    this.#skippedSinceLog += report.skipped
    this.state.skippedSteps += report.skipped
    if (report.batches > 0) this.state.lastLoss = report.loss
  }

  #take(flag: keyof TrainerControl): boolean {
    const value = this.control[flag]
    this.control[flag] = false
    return value
  }

  async #log(): Promise<void> {
    if (this.state.globalStep === this.#loggedStep) return
    if (!this.#sinceLog.reported) {
      // Asked for by a callback, between reports: the next step brings one.
      this.control.shouldLog = true
      return
    }
    const record: LogRecord = {
      loss: this.#sinceLog.value,
      grad_norm: this.#gradNorm,
      learning_rate: this.#learningRate,
      ...(this.#skippedSinceLog > 0 && { skipped_steps: this.#skippedSinceLog }),
      ...this.#parts.timings?.take(),
      epoch: this.state.epoch,
    }
    this.#sinceLog = new LossMean()
    this.#skippedSinceLog = 0
    this.#loggedStep = this.state.globalStep
    await this.#record(record)
  }

  async #evaluate(): Promise<void> {
    const metrics = await evaluationRecord(this.#parts, this.state, () => this.emit('onPredictionStep'))
    await this.#record(metrics)
    await emit(this.#parts.callbacks, 'onEvaluate', metrics, this.#context)
  }

  async #save(): Promise<void> {
    this.#parts.say?.(savingCheckpoint(join(this.#parts.args.outputDir, `checkpoint-${this.state.globalStep}`)))
    const folder = await saveCheckpoint(this.#parts, this.state)
    this.#saved = { step: this.state.globalStep, folder }
    await emit(this.#parts.callbacks, 'onSave', folder, this.#context)
  }

  async #record(record: LogRecord): Promise<void> {
    this.state.logHistory.push({ ...record, step: this.state.globalStep })
    await emit(this.#parts.callbacks, 'onLog', record, this.#context)
  }
}
