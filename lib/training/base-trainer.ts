import { type DataSource, isDataStream, isDataset, sourcesOf } from '../data/feed.js'
import { fromNative, invalidArgument, SentenceTorchError } from '../errors.js'
import { isSystemError, rescued } from '../io/rescue.js'
import { loadAddon } from '../native/load.js'
import type { NativeTrainer, TrainerSpec } from '../native/types.js'
import { checkOptions, type NotBuilt, ownCopy } from '../options.js'
import { resolveArguments, type TrainingArguments } from './arguments/arguments.js'
import { NamesOfArguments } from './arguments/check-names.js'
import { optimizerSpec } from './arguments/optimizer.js'
import { precisionWarnings, trainingPrecision } from './arguments/precision.js'
import { type LossChoice, LossSet } from './batches/loss-set.js'
import { checkCallbacks, emitInitEnd } from './callbacks/callback-list.js'
import { type LogRecord, newControl, newState, type TrainerCallback, type TrainerState } from './callbacks/callbacks.js'
import { checkLossTensors, copyLossTensors, type LossTensors } from './checkpoint/loss-tensors.js'
import { Timings } from './reporting/timings.js'
import { evaluatorOf } from './run/evaluator-choice.js'
import { type TrainingEvent, trainingEvents } from './run/events.js'
import { Gate } from './run/gate.js'
import type { GuardedTrainer } from './run/guarded-trainer.js'

import { TrainingAbortedError, type TrainResult } from './run/result.js'
import type { TrainingRun } from './run/run.js'
import type { SessionParts, TrainerSession } from './run/session.js'
import type {
  BaseLoss,
  BaseTrainerOptions,
  EvaluateOptions,
  EvaluatorOf,
  TrainableModel,
  TrainerKind,
  TrainOptions,
} from './trainer-options.js'

export type {
  BaseLoss,
  BaseTrainerOptions,
  BatchMakerParts,
  BatchMaking,
  EvaluateOptions,
  EvaluatorOf,
  TrainableModel,
  TrainerKind,
  TrainOptions,
} from './trainer-options.js'

const OPTIONS = [
  ...['model', 'args', 'trainDataset', 'evalDataset', 'loss', 'lossTensors', 'evaluator', 'callbacks', 'progress'],
]
const PLANNED_OPTIONS: Record<string, NotBuilt> = {
  dataCollator: { harmless: [null] },
  processingClass: { harmless: [null] },
  tokenizer: { harmless: [null] },
  modelInit: { harmless: [null] },
  computeMetrics: { harmless: [null] },
  optimizers: { harmless: [null], instead: 'args.optim and args.lrSchedulerType choose them' },
  optimizerClsAndKwargs: { harmless: [null], instead: 'args.optim chooses it' },
  preprocessLogitsForMetrics: { harmless: [null] },
}

/** Fine-tunes a model in place: what trainers of all kinds of models have in common. */
export abstract class BaseTrainer<M extends TrainableModel, L extends BaseLoss> {
  readonly model: M
  readonly args: Readonly<TrainingArguments>
  readonly loss: LossChoice<L>
  readonly #options: BaseTrainerOptions<M, L>
  readonly #kind: TrainerKind<M, L>
  readonly #losses: LossSet<L>
  readonly #evaluator: EvaluatorOf<M> | undefined
  readonly #names: NamesOfArguments
  readonly #gate = new Gate()
  #state = newState()
  /** What the trainer is at. */
  #busyWith: 'train' | 'evaluate' | undefined
  /** What the last training left of the losses' own parameters. */
  #lossTensors: LossTensors | undefined

  protected constructor(options: BaseTrainerOptions<M, L>, kind: TrainerKind<M, L>) {
    checkOptions(kind.name, options, OPTIONS, PLANNED_OPTIONS)
    this.#kind = kind
    this.model = options.model
    this.args = resolveArguments(options.args)
    checkParts(options, kind)
    this.#options = ownOptions(options)
    const { trainDataset, evalDataset, evaluator } = this.#options
    this.#evaluator = evaluator === undefined ? undefined : evaluatorOf(evaluator)
    this.loss = options.loss ?? kind.defaultLoss(options.model)
    this.#losses = new LossSet(this.loss)
    for (const { loss } of this.#losses.all) {
      if (!kind.isOwnLoss(loss)) throw invalidArgument(`the loss of ${kind.name}`, kind.lossName, loss.type)
    }
    this.#losses.checkModel(options.model)
    const warnings = [
      ...precisionWarnings(this.args, this.model, () => loadAddon().runtime()),
      ...this.#checkData(trainDataset, 'trainDataset'),
    ]
    if (evalDataset) warnings.push(...this.#checkData(evalDataset, 'evalDataset'))
    const sources = [trainDataset, ...(evalDataset ? [evalDataset] : [])]
    const names = sources.flatMap((source) => sourcesOf(source).map(([name]) => name))
    this.#losses.checkUsed(names)
    kind.checkArguments?.(this.args, names)
    this.#names = new NamesOfArguments(this.args, { trainDataset, evalDataset }, kind.byColumn)
    if ((this.args.evalStrategy !== 'no' || this.args.evalOnStart) && !evalDataset && !this.#evaluator) {
      throw new SentenceTorchError(
        'ERR_INVALID_ARGUMENT',
        `evalStrategy is '${this.args.evalStrategy}'${this.args.evalOnStart ? ' with evalOnStart' : ''}, but there is ` +
          'neither an evalDataset nor an evaluator',
      )
    }
    warn(warnings)
    emitInitEnd(options.callbacks ?? [], { args: this.args, state: this.state, control: newControl() })
  }

  /** Where training stands, or where the last one ended: `globalStep`, `epoch`, `logHistory`, `bestMetric`, … */
  get state(): Readonly<TrainerState> {
    return this.#state
  }

  /**
   * Trains. The weights of `model` change step by step; in between, and after an error or an abort, they are valid.
   *
   * @param options.signal stops after the steps that are running (two at most), with a last checkpoint unless
   *   `saveStrategy` is `no`
   * @returns steps done, mean loss, and `metrics` (seconds, rows and steps per second)
   * @throws TrainingAbortedError (name `AbortError`, code ERR_ABORTED) with the partial result; ERR_BUSY when another
   *   trainer is at work on the model, or in `outputDir`; ERR_FILE_SYSTEM when `outputDir` cannot be written; ERR_DISPOSED;
   *   ERR_OUT_OF_MEMORY; ERR_NOT_FOUND and ERR_INVALID_FILE for the checkpoint to go on from; ERR_INVALID_TENSORS, listing what
   *   does not fit, for it and for `lossTensors`
   */
  async train(options: TrainOptions = {}): Promise<TrainResult> {
    checkOptions('train', options, ['signal', 'resumeFromCheckpoint'])
    return this.#train(options, this.#options.callbacks ?? [])
  }

  /**
   * Trains like {@link train} and gives what happens as events: `for await (const event of trainer.run()) …`. Training
   * starts when the loop does; leaving the loop stops it after the running step. The last event, `trainEnd`, has the result.
   * docs/reporting.md says what a slow loop does to training.
   *
   * @throws in the loop, what `train` rejects with
   */
  run(options: TrainOptions = {}): AsyncGenerator<TrainingEvent, void, undefined> {
    checkOptions('run', options, ['signal', 'resumeFromCheckpoint'])
    const { callbacks = [] } = this.#options
    return trainingEvents((listener) => this.#train(options, [...callbacks, listener]), {
      onLeave: () => this.resume(),
    })
  }

  /**
   * Evaluates the model as it is: the loss over `evalDataset`, and the evaluator. The record goes to callbacks, progress and
   * `state.logHistory`. With several datasets the evaluator runs once, and its metrics are named `eval_…`. Parameters that
   * losses own are those of the last training, else of the option `lossTensors`, else random.
   * @param dataset one dataset or stream, or several by name; default: `evalDataset` of the trainer
   * @returns `eval_loss` (`eval_<name>_loss` by name), the evaluator's metrics with `eval_` in front, runtime, `epoch`
   * @throws ERR_INVALID_ARGUMENT with neither a dataset nor an evaluator; ERR_BUSY while the model is being trained
   */
  async evaluate(dataset?: DataSource, options: EvaluateOptions = {}): Promise<LogRecord> {
    checkOptions('evaluate', options, ['signal'])
    const { signal } = options
    const evalDataset = ownCopy(dataset) ?? this.#options.evalDataset
    if (evalDataset === undefined && this.#evaluator === undefined) {
      throw invalidArgument('evalDataset', 'a dataset, or an evaluator of the trainer,', undefined)
    }
    if (dataset !== undefined) {
      checkSource('evalDataset', evalDataset)
      warn(this.#checkData(evalDataset!, 'evalDataset'))
    }
    const { callbacks = [], lossTensors } = this.#options
    const parts = { args: { ...this.args, reportTo: 'none' as const }, signal, callbacks }
    const context = { args: this.args, state: this.#state, control: newControl() }
    this.#begin('evaluate')
    try {
      return await this.#inSession({ ...parts, lossTensors: this.#lossTensors ?? lossTensors }, (session) =>
        session.evaluate(evalDataset, context),
      )
    } catch (error) {
      throw await this.#rescued(error)
    } finally {
      this.#busyWith = undefined
    }
  }

  /** Saves the model, as `model.save(path)` does. @param path default: `outputDir` */
  async saveModel(path: string = this.args.outputDir): Promise<void> {
    await this.model.save(path)
  }

  /** Lets the running step end and waits then, until {@link resume}. Before `train()`: it waits before its first step. */
  pause(): void {
    this.#gate.close()
  }

  /** Goes on after {@link pause}. */
  resume(): void {
    this.#gate.open()
  }

  async #train(options: TrainOptions, callbacks: readonly TrainerCallback[]): Promise<TrainResult> {
    this.#begin('train')
    try {
      if (!this.args.handleSignals) return await this.#trainIn(options, callbacks)
      const { untilSignal } = await import('./run/signals.js')
      return await untilSignal(options.signal, (signal) => this.#trainIn({ ...options, signal }, callbacks))
    } finally {
      this.#busyWith = undefined
    }
  }

  /** Trains, with the output folder for itself. */
  async #trainIn(options: TrainOptions, callbacks: readonly TrainerCallback[]): Promise<TrainResult> {
    const { OutputFolder } = await import('./checkpoint/output-folder.js')
    const output = await OutputFolder.open(this.args, options.signal)
    try {
      return await this.#trainWith(options, callbacks, () => output.claim())
    } finally {
      await output.release()
    }
  }

  async #trainWith(
    options: TrainOptions,
    callbacks: readonly TrainerCallback[],
    claim: () => Promise<void>,
  ): Promise<TrainResult> {
    const { signal } = options
    const { lossTensors } = this.#options
    let run: TrainingRun | undefined
    const work = async (session: TrainerSession<M, L>) => {
      const { trainOrAbort } = await import('./run/loop.js')
      run = await session.begin(options.resumeFromCheckpoint ?? this.args.resumeFromCheckpoint)
      this.#state = run.state
      try {
        const result = await trainOrAbort(run, signal)
        this.#lossTensors = copyLossTensors(result.lossTensors)
        return result
      } catch (error) {
        if (error instanceof TrainingAbortedError) this.#lossTensors = copyLossTensors(error.result.lossTensors)
        throw error
      }
    }
    try {
      return await this.#inSession({ args: this.args, signal, callbacks, lossTensors, claim }, work)
    } catch (error) {
      throw run ? await this.#rescued(error) : error
    }
  }

  /** @throws ERR_BUSY while the trainer is at something */
  #begin(work: 'train' | 'evaluate'): void {
    if (this.#busyWith !== undefined) {
      throw new SentenceTorchError('ERR_BUSY', `${work}: wait until ${this.#busyWith} of this trainer has ended`)
    }
    this.#busyWith = work
  }

  /** A full disk is first met by whoever writes next: a checkpoint, an evaluator, the log. @returns the error to be thrown */
  async #rescued(error: unknown): Promise<unknown> {
    if (!isSystemError(error) || this.#state.globalStep === 0) return error
    return rescued(error, 'A file could not be written before the trained model was saved', (folder) => {
      return this.model.writeFiles(folder, this.args.outputDir)
    })
  }

  /** Does `work` with an engine's trainer and with everything that shows the log. */
  async #inSession<T>(
    parts: Pick<SessionParts<M, L>, 'args' | 'signal' | 'callbacks' | 'lossTensors' | 'claim'>,
    work: (session: TrainerSession<M, L>) => Promise<T>,
  ): Promise<T> {
    const { args, callbacks } = parts
    const { progress = process.stdout } = this.#options
    // Who only encodes does not load them.
    const [{ GuardedTrainer }, { PretrainedLosses }, { Reporting }, { TrainerSession }] = await Promise.all([
      import('./run/guarded-trainer.js'),
      import('./run/pretrained.js'),
      import('./reporting/reporting.js'),
      import('./run/session.js'),
    ])
    const reporting = new Reporting(args, progress)
    const pretrained = await PretrainedLosses.open(this.#kind, this.model, this.#losses, parts.signal)
    let native: GuardedTrainer
    try {
      const changesPrecision = trainingPrecision(args.bf16, this.model) !== undefined
      native = new GuardedTrainer(this.#nativeTrainer(pretrained.specs), this.model.encoder, changesPrecision)
    } catch (error) {
      await pretrained.close()
      throw error
    }
    const session = new TrainerSession({
      ...this.#options,
      ...parts,
      evaluator: this.#evaluator,
      given: this.#options.args ?? {},
      kind: this.#kind,
      losses: this.#losses,
      names: this.#names,
      pretrained,
      native,
      callbacks: [...callbacks, ...reporting.callbacks],
      say: (text) => reporting.say(text),
      timings: args.logTimings ? new Timings() : undefined,
      gate: this.#gate,
    })
    try {
      return await work(session)
    } finally {
      await pretrained.close()
      await session.close()
      await native.dispose()
      await reporting.close()
    }
  }

  #nativeTrainer(losses: TrainerSpec['losses']): NativeTrainer {
    const { args, model } = this
    const precision = trainingPrecision(args.bf16, model)
    const { Trainer } = loadAddon()
    try {
      return new Trainer(model.encoder, {
        losses,
        optimizer: optimizerSpec(args),
        weightDecay: args.weightDecay,
        maxGradNorm: args.maxGradNorm,
        seed: args.seed,
        ...((args.gradientCheckpointing || args.activationCheckpointing) && { activationCheckpointing: true }),
        ...(args.compat !== null && { compatLossGradients: true }),
        ...(precision && { precision }),
      })
    } catch (error) {
      throw fromNative(error, 'Trainer')
    }
  }

  /** @returns warnings */
  #checkData(source: DataSource, which: string): string[] {
    if (isDataset(source) || isDataStream(source)) {
      this.#losses.checkNames(undefined, which)
      if (isDataStream(source)) return []
      return [this.#kind.checkData(source, this.#losses.of(''), which) ?? []].flat()
    }
    const names = Object.keys(source)
    this.#losses.checkNames(names, which)
    return names.flatMap((name) => {
      const dataset = source[name]!
      return isDataset(dataset) ? (this.#kind.checkData(dataset, this.#losses.of(name), `${which}.${name}`) ?? []) : []
    })
  }
}

function warn(warnings: readonly string[]): void {
  for (const warning of warnings) process.emitWarning(warning, 'SentenceTorchWarning')
}

function checkParts<M extends TrainableModel, L extends BaseLoss>(
  options: BaseTrainerOptions<M, L>,
  kind: TrainerKind<M, L>,
): void {
  const { model, trainDataset, evalDataset, callbacks, lossTensors } = options
  if (!kind.isModel(model)) throw invalidArgument('model', kind.modelName, model)
  checkSource('trainDataset', trainDataset)
  if (evalDataset !== undefined) checkSource('evalDataset', evalDataset)
  checkLossTensors(lossTensors)
  checkCallbacks(callbacks)
}

/** What `train` reads long after the trainer was made: the caller's objects may have changed by then. */
function ownOptions<M, L>(options: BaseTrainerOptions<M, L>): BaseTrainerOptions<M, L> {
  const { trainDataset, evalDataset, args, callbacks, lossTensors } = options
  return {
    ...options,
    trainDataset: ownCopy(trainDataset),
    ...(evalDataset && { evalDataset: ownCopy(evalDataset) }),
    ...(args && { args: ownCopy(args) }),
    ...(callbacks && { callbacks: [...callbacks] }),
    ...(typeof lossTensors === 'object' && { lossTensors: copyLossTensors(lossTensors) }),
  }
}

function checkSource(name: string, source: unknown): void {
  if (isDataset(source) || isDataStream(source)) return
  const isObject = typeof source === 'object' && source !== null && !Array.isArray(source)
  if (!isObject || Object.keys(source).length === 0) {
    throw invalidArgument(name, 'a Dataset, a DataStream or an object of them', source)
  }
  for (const [key, dataset] of Object.entries(source)) {
    if (!isDataset(dataset) && !isDataStream(dataset)) {
      throw invalidArgument(`${name}.${key}`, 'a Dataset or a DataStream', dataset)
    }
  }
}
