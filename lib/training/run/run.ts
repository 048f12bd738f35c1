import { basename, join } from 'node:path'
import { prefetch } from '../../data/prefetch.js'
import type { StepReport } from '../../native/types.js'
import { scheduleOf } from '../arguments/check-arguments.js'
import { type Due, planRun, type RunPlan } from '../arguments/run-plan.js'
import { makeSchedule } from '../arguments/schedule.js'
import { batchGroups, type TrainBatch } from '../batches/source.js'
import { callbackStates, restoreCallbackStates } from '../callbacks/callback-list.js'
import {
  type CallbackContext,
  type CallbackEvent,
  emit,
  type LogRecord,
  newControl,
  newState,
  type TrainerControl,
} from '../callbacks/callbacks.js'
import { BestModel } from '../checkpoint/best-model.js'
import { saveCheckpoint } from '../checkpoint/checkpoint.js'
import { dumpLossTensors } from '../checkpoint/loss-tensors.js'
import type { SavedRun } from '../checkpoint/saved-run.js'
import { emitProcessWarning, type TrainingWarning } from '../health/warning.js'
import { LossLog } from '../reporting/loss-log.js'
import { deletingCheckpoint, loadingBestModel, savingCheckpoint, TRAINING_COMPLETED } from '../reporting/messages.js'
import { evaluateAndTell, tellRecord } from './evaluation.js'
import { ProcessSignal, roundTo, TrainingAbortedError, type TrainResult } from './result.js'
import type { Position, RunParts } from './run-parts.js'
import { StepQueue } from './steps.js'

export type { Position, RunParts } from './run-parts.js'

/** The optimiser step that a batch ends. */
interface EndedStep {
  step: number
  epoch: number
  learningRate: number
  rows: number
  position: Position
}

/** The bookkeeping of one `train()`: what is submitted, what is done, and what is due. The loop is in loop.ts. */
export class TrainingRun {
  readonly plan: RunPlan
  /** Optimiser steps given to the engine; `state.globalStep` of them are done. */
  submitted = 0
  readonly state = newState()
  readonly control: TrainerControl = newControl()
  /** Behind the last step that is done. */
  position: Position = { epoch: 0, batches: 0 }
  readonly #parts: RunParts
  readonly #context: CallbackContext
  readonly #schedule: (step: number) => number
  readonly #started = performance.now()
  readonly #log = new LossLog()
  readonly #best: BestModel
  /** What was done before this `train()`, when it resumes a run. */
  #before = { steps: 0, rows: 0 }
  readonly #queue: StepQueue<EndedStep>
  #learningRate = 0
  #saved: { step: number; folder: string } | undefined

  constructor(parts: RunParts) {
    const { args, train } = parts
    this.#parts = parts
    this.plan = planRun(args, train.feed.length)
    const { maxSteps, epochs, warmupSteps } = this.plan
    this.#schedule = makeSchedule({ ...scheduleOf(args), warmupSteps, totalSteps: maxSteps })
    Object.assign(this.state, { maxSteps, numTrainEpochs: epochs })
    this.#context = { args, state: this.state, control: this.control }
    this.#best = new BestModel(args, this.state)
    this.#queue = new StepQueue(parts.native, (report, ends) => this.#finish(report, ends))
  }

  /** Goes on where a checkpoint was written. Before anything else. */
  restore(saved: SavedRun): void {
    // How long this run is to be is said by its own arguments.
    const { maxSteps, numTrainEpochs } = this.state
    Object.assign(this.state, saved.state, { maxSteps, numTrainEpochs })
    this.submitted = saved.state.globalStep
    this.position = saved.position
    this.#before = { steps: saved.state.globalStep, rows: saved.state.samplesSeen }
    this.#log.restore(saved.losses)
    this.#learningRate = saved.learningRate
    this.control.shouldEpochStop = saved.shouldEpochStop
    restoreCallbackStates(this.#parts.callbacks, saved.callbacks)
  }

  /** Whether epoch number `epoch` (from 0) is begun. */
  wantsEpoch(epoch: number): boolean {
    return !this.isOver && (this.#parts.args.maxSteps > 0 || epoch < this.plan.epochs)
  }

  /** With evalOnStart. */
  get wantsEvaluationFirst(): boolean {
    return this.#parts.args.evalOnStart
  }

  get isOver(): boolean {
    return this.control.shouldTrainingStop || this.submitted >= this.plan.maxSteps
  }

  /** The batches of each optimiser step of an epoch, made two steps ahead. */
  groups({ epoch, batches: skip }: Position): AsyncIterable<TrainBatch[]> {
    const { train, args, timings } = this.#parts
    const size = args.gradientAccumulationSteps
    const groups = batchGroups(train, epoch, { size, skip, most: this.plan.stepsPerEpoch })
    return timings ? timings.waiting(prefetch(timings.making(groups), 2)) : prefetch(groups, 2)
  }

  emit(event: Exclude<CallbackEvent, 'onInitEnd' | 'onLog' | 'onEvaluate' | 'onSave' | 'onWarning'>): Promise<void> {
    return emit(this.#parts.callbacks, event, this.#context)
  }

  /** Looks at arguments and data before the first step. */
  async checkHealth(): Promise<void> {
    for (const warning of (await this.#parts.health?.start(this.plan)) ?? []) await this.warn(warning)
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

  /** Gives one optimiser step to the engine and waits for the one before it. `position`: behind this step. */
  async step(group: readonly TrainBatch[], position: Position): Promise<Due> {
    const step = ++this.submitted
    this.#parts.timings?.resume()
    const due = this.plan.dueAfterStep(step)
    const { groupRates, reportsAreFree, args } = this.#parts
    const factor = this.#schedule(step)
    const learningRate = args.learningRate * factor
    const lr = groupRates === undefined ? learningRate : Float64Array.from(groupRates, (rate) => rate * factor)
    const epoch = position.epoch + position.batches / this.plan.batchesPerEpoch
    // The last step of an epoch may have fewer batches than those before it, which are reported without it.
    const ending =
      step === this.plan.maxSteps || this.plan.batchesPerEpoch - position.batches < args.gradientAccumulationSteps
    // A checkpoint keeps what was reported: without a report it would lose the losses since the last.
    const report = reportsAreFree || due.log || due.save || this.control.shouldLog || ending
    const rows = group.reduce((sum, batch) => sum + batch.rows, 0)
    const ends: EndedStep = { step, epoch, learningRate, rows, position }
    for (const [i, batch] of group.entries()) {
      const update = i === group.length - 1
      const options = {
        ...{ lr, lossScale: batch.weight / group.length, update, report: report && update, loss: batch.loss },
        ...this.#parts.miniBatch?.(batch.loss),
      }
      await this.#queue.add(batch, options, update ? ends : undefined)
    }
    return due
  }

  /** Waits for what is in flight. */
  settle(): Promise<void> {
    return this.#queue.settle()
  }

  /** Waits for what is in flight without looking at it, after an error. */
  abandon(): Promise<void> {
    return this.#queue.abandon()
  }

  /** Whether something is due or was asked for by a callback, for which no step may be running. */
  asksFor(due: Due): boolean {
    const { shouldLog, shouldEvaluate, shouldSave } = this.control
    return due.log || due.evaluate || due.save || shouldLog || shouldEvaluate || shouldSave
  }

  /** Logs, evaluates and saves what is due or was asked for. No step is running. */
  async meet(due: Due): Promise<void> {
    this.#parts.timings?.suspend()
    if (this.#take('shouldLog') || due.log) await this.#logLosses()
    let save = this.#take('shouldSave') || due.save
    if (this.#take('shouldEvaluate') || due.evaluate) {
      const isBetter = this.#best.see(await this.evaluate())
      if (this.#parts.args.saveStrategy === 'best') save = isBetter
    }
    if (save) await this.#save()
  }

  /** @returns the metrics of all datasets together */
  evaluate(): Promise<LogRecord> {
    return evaluateAndTell(this.#parts, this.#context)
  }

  /**
   * Ends the run after an abort, with a last checkpoint: unless checkpoints are off, and even then when the process shall end,
   * whose memory goes with it. No step is running.
   */
  async aborted(reason: unknown): Promise<TrainingAbortedError> {
    const { globalStep } = this.state
    const saves = this.#parts.args.saveStrategy !== 'no' || reason instanceof ProcessSignal
    if (saves && globalStep > 0 && globalStep !== this.#saved?.step) await this.#save()
    return new TrainingAbortedError(await this.result(), reason, this.#saved?.folder)
  }

  /** The last record; gives the model its best weights if it shall have them; ends the run. */
  async finish(): Promise<TrainResult> {
    const { trainRuntime, trainSamplesPerSecond, trainStepsPerSecond, trainLoss, epoch } = this.#metrics()
    await this.#record({
      train_runtime: trainRuntime,
      train_samples_per_second: trainSamplesPerSecond,
      train_steps_per_second: trainStepsPerSecond,
      train_loss: trainLoss,
      epoch,
    })
    this.#parts.say?.(TRAINING_COMPLETED)
    const { bestModelCheckpoint, bestMetric } = this.state
    if (this.#parts.args.loadBestModelAtEnd && bestModelCheckpoint !== null) {
      this.#parts.say?.(loadingBestModel(bestModelCheckpoint, bestMetric!))
      await this.#parts.loadBest?.(bestModelCheckpoint)
      // These weights belong to no later step.
      this.#saved = { step: this.state.globalStep, folder: bestModelCheckpoint }
    }
    const { args, say } = this.#parts
    for (const name of await this.#best.tidy()) say?.(deletingCheckpoint(join(args.outputDir, name)))
    const result = await this.result()
    await this.emit('onTrainEnd')
    return result
  }

  /** What was done so far. No step is running. */
  async result(): Promise<TrainResult> {
    const { globalStep, skippedSteps } = this.state
    return {
      globalStep,
      trainingLoss: this.#log.mean,
      skippedSteps,
      lossTensors: await dumpLossTensors(this.#parts.native),
      metrics: this.#metrics(),
    }
  }

  #metrics(): TrainResult['metrics'] {
    const { globalStep, samplesSeen, epoch } = this.state
    const seconds = (performance.now() - this.#started) / 1000
    return {
      trainRuntime: roundTo(seconds, 4),
      trainSamplesPerSecond: roundTo((samplesSeen - this.#before.rows) / seconds, 3),
      trainStepsPerSecond: roundTo((globalStep - this.#before.steps) / seconds, 3),
      trainLoss: this.#log.mean,
      epoch,
    }
  }

  async #finish(report: StepReport | undefined, ends: EndedStep | undefined): Promise<void> {
    if (ends === undefined) return this.emit('onSubstepEnd')
    this.state.globalStep = ends.step
    this.state.epoch = ends.epoch
    this.state.samplesSeen += ends.rows
    this.position = ends.position
    this.#learningRate = ends.learningRate
    if (report !== undefined) {
      this.#log.gather(report)
      this.#parts.timings?.add(report)
      this.state.skippedSteps += report.skipped
      if (report.batches > 0) this.state.lastLoss = report.loss
      for (const warning of this.#parts.health?.observe(report) ?? []) await this.warn(warning)
    }
    await this.emit('onStepEnd')
  }

  #take(flag: keyof TrainerControl): boolean {
    const value = this.control[flag]
    this.control[flag] = false
    return value
  }

  async #logLosses(): Promise<void> {
    const { globalStep, epoch } = this.state
    if (this.#log.isLogged(globalStep)) return
    // Asked for by a callback, between reports: the next step brings one.
    if (!this.#log.hasNews) this.control.shouldLog = true
    else await this.#record(this.#log.take(globalStep, this.#learningRate, epoch, this.#parts.timings?.take()))
  }

  async #save(): Promise<void> {
    const { callbacks, args, say } = this.#parts
    say?.(savingCheckpoint(join(args.outputDir, `checkpoint-${this.state.globalStep}`)))
    const folder = await saveCheckpoint(this.#parts, this.plan, {
      state: this.state,
      position: this.position,
      losses: this.#log.save(),
      learningRate: this.#learningRate,
      shouldEpochStop: this.control.shouldEpochStop,
      callbacks: callbackStates(callbacks),
    })
    this.#saved = { step: this.state.globalStep, folder }
    for (const name of await this.#best.rotate(basename(folder))) say?.(deletingCheckpoint(join(args.outputDir, name)))
    await emit(callbacks, 'onSave', folder, this.#context)
  }

  #record(record: LogRecord): Promise<void> {
    return tellRecord(record, this.#parts.callbacks, this.#context)
  }
}
