import { basename, join } from 'node:path'
import type { NativeTrainer } from '../../native/types.js'
import { type Due, planRun, type RunPlan } from '../arguments/run-plan.js'
import type { BatchSource } from '../batches/source.js'
import { CallbackHandler } from '../callbacks/callback-handler.js'
import {
  type LogRecord,
  newControl,
  newState,
  type TrainerCallback,
  type TrainerControl,
} from '../callbacks/callbacks.js'
import { BestModel } from '../checkpoint/best-model.js'
import { type CheckpointParts, saveCheckpoint } from '../checkpoint/checkpoint.js'
import { dumpLossTensors } from '../checkpoint/loss-tensors.js'
import type { SavedRun } from '../checkpoint/saved-run.js'
import type { Ranks } from '../distributed/ranks.js'
import type { HealthMonitor } from '../health/monitor.js'
import { roundTo } from '../reporting/format.js'
import { deletingCheckpoint, loadingBestModel, savingCheckpoint, TRAINING_COMPLETED } from '../reporting/messages.js'
import { type EvaluationParts, runEvaluation } from './evaluation.js'
import type { Gate } from './gate.js'
import { ProcessSignal, TrainingAbortedError, type TrainResult } from './result.js'
import { type StepParts, Steps } from './steps.js'

/** Everything that a run works with. */
export interface RunParts extends StepParts, EvaluationParts, CheckpointParts {
  native: Pick<NativeTrainer, 'step' | 'evaluate' | 'tensors' | 'dump' | 'counters' | 'lossScaler' | 'copyWeights'>
  /** The processes that train together; absent: this one is alone. */
  ranks?: Pick<Ranks, 'isMain' | 'fromMain' | 'size'> | undefined
  train: BatchSource
  callbacks: readonly TrainerCallback[]
  /** Gives the model the weights of a checkpoint, and the losses their parameters. */
  loadBest?: ((folder: string) => Promise<void>) | undefined
  /** Weights that callbacks change, by their names in the log. */
  scheduledWeights?: (() => Readonly<Record<string, number>>) | undefined
  /** Looks for signs that something is wrong. */
  health?: Pick<HealthMonitor, 'start' | 'observe'> | undefined
  /** Closed while training is paused. */
  gate?: Gate | undefined
}

/** One `train()`: its state, and everything that happens between steps. The loop is in loop.ts, the steps are in steps.ts. */
export class TrainingRun {
  readonly parts: RunParts
  readonly plan: RunPlan
  readonly state = newState()
  /** What callbacks ask for. */
  readonly control: TrainerControl = newControl()
  /** What is done: with several processes, what all of them have agreed on. */
  readonly agreed: TrainerControl
  readonly handler: CallbackHandler
  readonly steps: Steps
  readonly #started = performance.now()
  readonly #best: BestModel
  /** In a resumed run: what was done before this `train()`. */
  #before = { steps: 0, rows: 0 }
  /** The last checkpoint and its step; after `loadBestModelAtEnd` the best checkpoint and the last step. */
  #saved: { step: number; folder: string } | undefined

  constructor(parts: RunParts) {
    const { args, train, callbacks } = parts
    this.parts = parts
    this.plan = planRun(args, train.feed.length)
    Object.assign(this.state, { maxSteps: this.plan.maxSteps, numTrainEpochs: this.plan.epochs })
    this.agreed = parts.agreement === undefined ? this.control : newControl()
    this.handler = new CallbackHandler(callbacks, { args, state: this.state, control: this.control })
    this.steps = new Steps(parts, this.plan, this.handler, this.agreed)
    this.#best = new BestModel(args, this.state)
  }

  /** Goes on where a checkpoint was written. Called before anything else. */
  restore(saved: SavedRun): void {
    // Run length comes from the new arguments, not from the checkpoint.
    const { maxSteps, numTrainEpochs } = this.state
    Object.assign(this.state, saved.state, { maxSteps, numTrainEpochs })
    this.#before = { steps: saved.state.globalStep, rows: saved.state.samplesSeen }
    this.steps.restore(saved)
    this.agreed.shouldEpochStop = saved.shouldEpochStop
    this.handler.restore(saved.callbacks)
  }

  /** Whether epoch number `epoch` (from 0) is trained. */
  wantsEpoch(epoch: number): boolean {
    return !this.isOver && (this.parts.args.maxSteps > 0 || epoch < this.plan.epochs)
  }

  /** Whether no further step is to be given to the engine. */
  get isOver(): boolean {
    return this.agreed.shouldTrainingStop || this.steps.submitted >= this.plan.maxSteps
  }

  /** What comes before the first step. */
  async begin(): Promise<void> {
    await this.handler.emit('onTrainBegin')
    await this.steps.sendWeights()
    for (const warning of (await this.parts.health?.start(this.plan)) ?? []) await this.handler.warn(warning)
    if (this.parts.args.evalOnStart) await this.evaluate()
  }

  /** While training is paused: waits, without a running step, until training continues or is aborted. */
  async waitWhilePaused(): Promise<void> {
    const { gate, signal, timings } = this.parts
    if (!gate?.isClosed) return
    await this.steps.settle()
    timings?.suspend()
    await gate.pass(signal)
  }

  /** Whether something is due, or a callback asked for it, that needs all steps to be done. */
  needsSettledSteps(due: Due): boolean {
    const { shouldLog, shouldEvaluate, shouldSave } = this.agreed
    return due.log || due.evaluate || due.save || shouldLog || shouldEvaluate || shouldSave
  }

  /** Logs, evaluates and saves if it is due or a callback asked for it. No step is running. */
  async logEvaluateSave(due: Due): Promise<void> {
    this.parts.timings?.suspend()
    if (this.#takeRequest('shouldLog') || due.log) await this.#logLosses()
    let save = this.#takeRequest('shouldSave') || due.save
    if (this.#takeRequest('shouldEvaluate') || due.evaluate) {
      const isBetter = this.#best.update(await this.evaluate())
      if (this.parts.args.saveStrategy === 'best') save = isBetter
    }
    if (save) await this.#save()
    await this.parts.agreement?.now(this.control, this.agreed)
  }

  /** @returns the metrics of all datasets together */
  evaluate(): Promise<LogRecord> {
    return runEvaluation(this.parts, this.handler)
  }

  /**
   * Ends the run after an abort and writes a last checkpoint, unless `saveStrategy` is `no`. It is written even then if the
   * process is about to end, because the weights would be lost with it. No step is running.
   */
  async abort(reason: unknown): Promise<TrainingAbortedError> {
    const { globalStep } = this.state
    const saves = this.parts.args.saveStrategy !== 'no' || reason instanceof ProcessSignal
    if (saves && globalStep > 0 && globalStep !== this.#saved?.step) await this.#save()
    return new TrainingAbortedError(await this.result(), reason, this.#saved?.folder)
  }

  /** Ends the run: writes the last record and, with `loadBestModelAtEnd`, loads the best weights. */
  async finish(): Promise<TrainResult> {
    const { trainRuntime, trainSamplesPerSecond, trainStepsPerSecond, trainLoss, epoch } = this.#metrics()
    await this.handler.log({
      train_runtime: trainRuntime,
      train_samples_per_second: trainSamplesPerSecond,
      train_steps_per_second: trainStepsPerSecond,
      train_loss: trainLoss,
      epoch,
    })
    const { args, say } = this.parts
    say?.(TRAINING_COMPLETED)
    const { bestModelCheckpoint, bestMetric } = this.state
    if (args.loadBestModelAtEnd && bestModelCheckpoint !== null) {
      say?.(loadingBestModel(bestModelCheckpoint, bestMetric!))
      if (this.#isMain) await this.parts.loadBest?.(bestModelCheckpoint)
      if (this.parts.ranks !== undefined) await this.parts.native.copyWeights()
      // The model no longer has the weights of the last step, so an abort from now on must not save them as that step.
      this.#saved = { step: this.state.globalStep, folder: bestModelCheckpoint }
    }
    const removed = this.#isMain ? await this.#best.removeOthers() : []
    for (const name of removed) say?.(deletingCheckpoint(join(args.outputDir, name)))
    const result = await this.result()
    await this.handler.emit('onTrainEnd')
    return result
  }

  /** The result so far. No step is running. */
  async result(): Promise<TrainResult> {
    const { globalStep, skippedSteps } = this.state
    return {
      globalStep,
      trainingLoss: this.steps.log.mean,
      skippedSteps,
      lossTensors: await dumpLossTensors(this.parts.native),
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
      trainLoss: this.steps.log.mean,
      epoch,
    }
  }

  /** Whether a callback asked for something; clears the request. */
  #takeRequest(flag: keyof TrainerControl): boolean {
    const value = this.agreed[flag]
    this.agreed[flag] = false
    return value
  }

  async #logLosses(): Promise<void> {
    const { globalStep, epoch } = this.state
    const { log, learningRate } = this.steps
    if (log.isLogged(globalStep)) return
    // A callback asked for a record between two reports: the next step brings one.
    if (!log.hasNews) this.agreed.shouldLog = true
    else {
      const record = log.take(globalStep, learningRate, epoch, this.parts.timings?.take())
      await this.handler.log({ ...record, ...this.parts.scheduledWeights?.() })
    }
  }

  /** Whether this process saves. */
  get #isMain(): boolean {
    return this.parts.ranks?.isMain ?? true
  }

  async #save(): Promise<void> {
    const { globalStep } = this.state
    const { ranks } = this.parts
    const folder = await (ranks === undefined ? this.#writeCheckpoint() : ranks.fromMain(() => this.#writeCheckpoint()))
    this.#saved = { step: globalStep, folder }
    if (globalStep === this.state.bestGlobalStep) this.state.bestModelCheckpoint = folder
    await this.handler.emit('onSave', folder)
  }

  async #writeCheckpoint(): Promise<string> {
    const { args, say } = this.parts
    const { globalStep } = this.state
    say?.(savingCheckpoint(join(args.outputDir, `checkpoint-${globalStep}`)))
    const folder = await saveCheckpoint(this.parts, this.plan, {
      state: this.state,
      position: this.steps.position,
      losses: this.steps.log.save(),
      learningRate: this.steps.learningRate,
      ...(this.steps.skippedByScaler > 0 && { skippedByScaler: this.steps.skippedByScaler }),
      shouldEpochStop: this.agreed.shouldEpochStop,
      callbacks: this.handler.states(),
    })
    for (const name of await this.#best.rotate(basename(folder))) say?.(deletingCheckpoint(join(args.outputDir, name)))
    return folder
  }
}
