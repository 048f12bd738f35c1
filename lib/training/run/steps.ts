// From batches to the engine: the last of the three files that a training step passes. The one before is run/loop.ts.

import { fromNative } from '../../errors.js'
import type { NativeTrainer, StepOptions, StepReport } from '../../native/types.js'
import type { TrainingArguments } from '../arguments/arguments.js'
import { scheduleOf } from '../arguments/check-arguments.js'
import type { Due, RunPlan } from '../arguments/run-plan.js'
import { makeSchedule } from '../arguments/schedule.js'
import type { Position, TrainBatch } from '../batches/batch.js'
import type { MiniBatch } from '../batches/mini-batch.js'
import type { CallbackHandler } from '../callbacks/callback-handler.js'
import type { TrainerControl, TrainerState } from '../callbacks/callbacks.js'
import type { SavedRun } from '../checkpoint/saved-run.js'
import type { Agreement } from '../distributed/agreement.js'
import type { HealthMonitor } from '../health/monitor.js'
import { LossLog } from '../reporting/loss-log.js'
import type { Timings } from '../reporting/timings.js'
import type { ComputedStep } from './computed-loss.js'
import type { LossWeights } from './loss-weights.js'

/** What optimiser steps are made with. */
export interface StepParts {
  args: Readonly<TrainingArguments>
  native: Pick<NativeTrainer, 'step'>
  /** By loss: set where TypeScript computes it. */
  computed?: readonly (ComputedStep | undefined)[] | undefined
  /** By loss: set where callbacks change weights of its parts. */
  weights?: readonly (LossWeights | undefined)[] | undefined
  /** By group of parameters: the peak learning rate. Absent: one rate for all. */
  groupRates?: readonly number[] | undefined
  /** By loss: how batches are cut for gradient caching. */
  miniBatches?: readonly MiniBatch[] | undefined
  /** Whether a report costs nothing, because there is no device to wait for. */
  reportsAreFree: boolean
  timings?: Timings | undefined
  health?: Pick<HealthMonitor, 'observe'> | undefined
  /** With several processes. */
  agreement?: Agreement | undefined
}

/** The state of a running optimiser step. */
interface RunningStep {
  step: number
  /** Passes over the data after this step. */
  epoch: number
  learningRate: number
  rows: number
  /** Position after this step. */
  position: Position
}

/** Gives optimiser steps to the engine and updates the state when they are done. */
export class Steps {
  /** Steps given to the engine. `state.globalStep` of them are done. */
  submitted = 0
  /** Position after the last step that is done. */
  position: Position = { epoch: 0, batches: 0 }
  /** Of the last step that is done. */
  learningRate = 0
  /** Updates that the loss scaler skipped, for which the schedule waits, as that of accelerate does. */
  skippedByScaler = 0
  /** Those of earlier processes. The engine waits for those of this one. */
  #skippedBefore = 0
  /** Losses and gradients that the engine reported. */
  readonly log = new LossLog()
  readonly #parts: StepParts
  readonly #plan: RunPlan
  readonly #handler: CallbackHandler
  readonly #state: TrainerState
  readonly #control: TrainerControl
  readonly #agreed: TrainerControl
  readonly #schedule: (step: number) => number
  readonly #queue: StepQueue

  /** @param agreed what all processes do; with one process, what its callbacks ask for */
  constructor(
    parts: StepParts,
    plan: RunPlan,
    handler: CallbackHandler,
    agreed: TrainerControl = handler.context.control,
  ) {
    this.#parts = parts
    this.#agreed = agreed
    this.#plan = plan
    this.#handler = handler
    this.#state = handler.context.state
    this.#control = handler.context.control
    const { maxSteps, warmupSteps } = plan
    this.#schedule = makeSchedule({ ...scheduleOf(parts.args), warmupSteps, totalSteps: maxSteps })
    this.#queue = new StepQueue(parts, (report, ended) => this.#onBatchDone(report, ended))
  }

  /** Goes on where a checkpoint was written. */
  restore(saved: Pick<SavedRun, 'state' | 'position' | 'losses' | 'learningRate' | 'skippedByScaler'>): void {
    this.submitted = saved.state.globalStep
    this.position = saved.position
    this.log.restore(saved.losses)
    this.learningRate = saved.learningRate
    this.skippedByScaler = this.#skippedBefore = saved.skippedByScaler ?? 0
  }

  /**
   * Gives one optimiser step to the engine and waits for the step before it.
   * @param group the batches of the step
   * @param position after this step
   * @returns everything that is due after this step
   */
  async submit(group: readonly TrainBatch[], position: Position): Promise<Due> {
    const step = ++this.submitted
    const { groupRates, miniBatches, args, timings, agreement } = this.#parts
    timings?.resume()
    const due = this.#plan.dueAfterStep(step)
    const factor = this.#schedule(step - this.#skippedBefore)
    const learningRate = args.learningRate * factor
    const lr = groupRates === undefined ? learningRate : Float64Array.from(groupRates, (rate) => rate * factor)
    const report = this.#needsReport(step, position, due)
    const rows = group.reduce((sum, batch) => sum + batch.rows, 0)
    const epoch = position.epoch + position.batches / this.#plan.batchesPerEpoch
    const running: RunningStep = { step, epoch, learningRate, rows, position }
    await this.sendWeights()
    for (const [i, batch] of group.entries()) {
      const update = i === group.length - 1
      const options = {
        ...{ lr, lossScale: batch.weight / group.length, update, report: report && update, loss: batch.loss },
        ...miniBatches?.[batch.loss],
        ...(agreement && { requests: agreement.take(this.#control) }),
      }
      await this.#queue.add(batch, options, update ? running : undefined)
    }
    return due
  }

  /** Gives the engine the weights that losses have now, for the next step and evaluation. */
  async sendWeights(): Promise<void> {
    for (const weights of this.#parts.weights ?? []) await weights?.send()
  }

  /** Waits for the steps in flight. */
  settle(): Promise<void> {
    return this.#queue.settle()
  }

  /** After an error: waits for the steps in flight and ignores their results. */
  abandon(): Promise<void> {
    return this.#queue.abandon()
  }

  /** A report makes the engine wait for its device. */
  #needsReport(step: number, position: Position, due: Due): boolean {
    const { reportsAreFree, args } = this.#parts
    // One report covers steps of equally many batches, and the last step of an epoch may have fewer than the steps before it.
    const isLastOfItsSize =
      step === this.#plan.maxSteps || this.#plan.batchesPerEpoch - position.batches < args.gradientAccumulationSteps
    // A checkpoint keeps what was reported. Without a report it would lose the losses since the last one.
    return reportsAreFree || due.log || due.save || this.#agreed.shouldLog || isLastOfItsSize
  }

  /** @param ended the step, if this batch was its last one */
  async #onBatchDone(report: StepReport | undefined, ended: RunningStep | undefined): Promise<void> {
    if (ended === undefined) return this.#handler.emit('onSubstepEnd')
    const state = this.#state
    state.globalStep = ended.step
    state.epoch = ended.epoch
    state.samplesSeen += ended.rows
    this.position = ended.position
    this.learningRate = ended.learningRate
    if (report !== undefined) {
      this.log.gather(report)
      this.#parts.timings?.add(report)
      if (report.requests) this.#parts.agreement?.follow(report.requests, this.#agreed)
      state.skippedSteps += report.skipped
      if (report.lossScale !== undefined) this.#waitForSkipped(report, ended.step)
      if (report.batches > 0) state.lastLoss = report.loss
      for (const warning of this.#parts.health?.observe(report) ?? []) await this.#handler.warn(warning)
    }
    await this.#handler.emit('onStepEnd')
  }

  /** The rate of a step that was skipped itself is that of the next one. */
  #waitForSkipped({ skipped, gradNorm }: StepReport, step: number): void {
    this.skippedByScaler += skipped
    const before = this.skippedByScaler - (Number.isFinite(gradNorm) ? 0 : 1)
    this.learningRate = this.#parts.args.learningRate * this.#schedule(step - before)
  }
}

type OnBatchDone = (report: StepReport | undefined, ended: RunningStep | undefined) => Promise<void>

interface RunningBatch {
  promise: Promise<StepReport | undefined>
  /** Set on the last batch of an optimiser step. */
  ends: RunningStep | undefined
  /** Whether it must be done before the next batch is given to the engine. */
  alone: boolean
}

/** Keeps two batches in flight, so that the engine never waits for JavaScript. */
class StepQueue {
  readonly #parts: Pick<StepParts, 'native' | 'computed'>
  readonly #onDone: OnBatchDone
  /** The batch that was given to the engine last. At most the one before it is in flight too. */
  #running: RunningBatch | undefined

  /** @param onDone called for every batch that is done, in order */
  constructor(parts: Pick<StepParts, 'native' | 'computed'>, onDone: OnBatchDone) {
    this.#parts = parts
    this.#onDone = onDone
  }

  /** Gives a batch to the engine and waits for the batch before it. */
  async add({ batch, loss }: TrainBatch, options: StepOptions, ends: RunningStep | undefined): Promise<void> {
    const { native, computed } = this.#parts
    const inTypeScript = computed?.[loss]
    const alone = inTypeScript !== undefined
    if (alone || this.#running?.alone) await this.settle()
    const promise = (inTypeScript ?? native).step(batch, options)
    // The reader of this batch handles its failure. Until then it must not count as unhandled.
    promise.catch(() => {})
    const previous = this.#running
    this.#running = { promise, ends, alone }
    if (previous !== undefined) await this.#finish(previous)
  }

  async settle(): Promise<void> {
    const running = this.#running
    this.#running = undefined
    if (running !== undefined) await this.#finish(running)
  }

  async abandon(): Promise<void> {
    await this.#running?.promise.catch(() => {})
    this.#running = undefined
  }

  async #finish({ promise, ends }: RunningBatch): Promise<void> {
    let report: StepReport | undefined
    try {
      report = await promise
    } catch (error) {
      throw fromNative(error, 'Trainer.step')
    }
    await this.#onDone(report, ends)
  }
}
