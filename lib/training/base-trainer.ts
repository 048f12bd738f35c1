import type { Dataset } from '../data/dataset.js'
import { type DataSource, sourcesOf } from '../data/feed.js'
import { invalidArgument, SentenceTorchError } from '../errors.js'
import type { LanguageModelWeights } from '../models/language-model.js'
import { loadAddon } from '../native/load.js'
import { checkOptions, ownCopy } from '../options.js'
import { resolveArguments, type TrainingArguments } from './arguments/arguments.js'
import { NamesOfArguments } from './arguments/check-names.js'
import { precisionWarnings } from './arguments/precision.js'
import { checkRoutes } from './arguments/routes.js'
import type { AnyBatchMaker } from './batches/batch.js'
import { checkDatasets } from './batches/check-datasets.js'
import { type LossChoice, LossSet, type TrainableLoss } from './batches/loss-set.js'
import type { BatchMakerParts } from './batches/source.js'
import { emitInitEnd } from './callbacks/callback-handler.js'
import { type LogRecord, newControl, newState, type TrainerCallback, type TrainerState } from './callbacks/callbacks.js'
import type { ModelFacts } from './health/facts.js'
import { type EvaluatorOf, evaluatorOf } from './run/evaluator-choice.js'
import { type TrainingEvent, trainingEvents } from './run/events.js'
import { Gate } from './run/gate.js'
import type { TrainResult } from './run/result.js'
import type { SessionParts } from './run/session-parts.js'
import type { TrainerMemory } from './run/train.js'
import type { TrainableModel } from './run/trainable-model.js'
import {
  type BaseTrainerOptions,
  checkOptionNames,
  checkOptionTypes,
  checkSource,
  copyOptions,
  type EvaluateOptions,
  type TrainOptions,
} from './trainer-options.js'

/** Fine-tunes a model in place. Subclasses add the behaviour for their kind of model. */
export abstract class BaseTrainer<M extends TrainableModel, L extends TrainableLoss> {
  readonly model: M
  readonly args: Readonly<TrainingArguments>
  readonly loss: LossChoice<L>
  readonly #trainerName: string
  readonly #options: BaseTrainerOptions<M, L>
  readonly #losses: LossSet<L>
  readonly #evaluator: EvaluatorOf<M> | undefined
  readonly #names: NamesOfArguments
  readonly #gate = new Gate()
  readonly #memory: TrainerMemory = { state: newState(), lossTensors: undefined }
  #busyWith: 'train' | 'evaluate' | undefined

  /**
   * @param kind `trainerName`: for messages; `readsColumnsByName`: whether columns have prompts and lengths of their own; `tasks`: of
   * texts, which have lengths
   */
  protected constructor(
    options: BaseTrainerOptions<M, L>,
    kind: { trainerName: string; readsColumnsByName: boolean; tasks?: readonly string[] },
  ) {
    checkOptionNames(kind.trainerName, options)
    this.#trainerName = kind.trainerName
    this.model = options.model
    this.args = resolveArguments(options.args)
    this.checkModel(options.model)
    checkOptionTypes(options)
    this.#options = copyOptions(options)
    const { trainDataset, evalDataset, evaluator } = this.#options
    this.#evaluator = evaluator === undefined ? undefined : evaluatorOf(evaluator)
    this.loss = options.loss ?? this.defaultLoss()
    this.#losses = new LossSet(this.loss)
    for (const { loss } of this.#losses.all) this.checkLoss(loss)
    this.#losses.checkModel(options.model)
    const warnings = [
      ...precisionWarnings(this.args, this.model, () => loadAddon().runtime()),
      ...this.#checkDatasets(trainDataset, 'trainDataset'),
    ]
    if (evalDataset) warnings.push(...this.#checkDatasets(evalDataset, 'evalDataset'))
    const sources = [trainDataset, ...(evalDataset ? [evalDataset] : [])]
    const names = sources.flatMap((source) => sourcesOf(source).map(([name]) => name))
    this.#losses.checkUsed(names)
    checkRoutes(this.args.routerMapping, options.model.routes)
    this.checkArguments(names)
    this.#names = new NamesOfArguments(this.args, { trainDataset, evalDataset }, kind.readsColumnsByName, kind.tasks)
    const { evalStrategy, evalOnStart } = this.args
    if ((evalStrategy !== 'no' || evalOnStart) && !evalDataset && !this.#evaluator) {
      throw new SentenceTorchError(
        'ERR_INVALID_ARGUMENT',
        `evalStrategy is '${evalStrategy}'${evalOnStart ? ' with evalOnStart' : ''}, but there is ` +
          'neither an evalDataset nor an evaluator',
      )
    }
    warn(warnings)
    emitInitEnd(options.callbacks ?? [], { args: this.args, state: this.state, control: newControl() })
  }

  // The constructor calls these methods too, so they must not read fields of the subclass.

  /** @throws ERR_INVALID_ARGUMENT for a model of another kind */
  protected abstract checkModel(model: unknown): void
  protected abstract defaultLoss(): L
  /** @throws ERR_INVALID_ARGUMENT for a loss for models of another kind */
  protected abstract checkLoss(loss: L): void
  /** Refuses arguments that this kind of trainer cannot take. @param datasets their names, '' for a single one */
  protected checkArguments(_datasets: readonly string[]): void {}
  /**
   * Checks a dataset, or one batch of a stream, against its loss.
   * @param which `trainDataset`, or `trainDataset.<name>`
   * @returns a warning
   * @throws ERR_INVALID_DATA
   */
  protected abstract checkDataset(dataset: Dataset, loss: L, which: string): string | undefined

  protected abstract batchMaker(parts: BatchMakerParts<L>): AnyBatchMaker
  /** Facts about the model for the health checks of a run. */
  protected abstract modelFacts(): ModelFacts
  /** Opens the checkpoint that initialises parameters of a loss. @param nameOrPath undefined: the source of the model */
  protected async openPretrained(
    _nameOrPath: string | undefined,
    _signal: AbortSignal | undefined,
  ): Promise<LanguageModelWeights | undefined> {
    return undefined
  }

  /** How far training is, or how far the last one came: `globalStep`, `epoch`, `logHistory`, `bestMetric`, … */
  get state(): Readonly<TrainerState> {
    return this.#memory.state
  }

  /**
   * Trains. The weights of `model` change step by step. Between steps, and after an error or an abort, they are valid.
   *
   * @param options.signal stops after the steps that are running (two at most), with a last checkpoint unless
   *   `saveStrategy` is `no`
   * @returns steps done, mean loss, and `metrics` (seconds, rows and steps per second)
   * @throws TrainingAbortedError (name `AbortError`, code ERR_ABORTED) with the partial result; ERR_BUSY when another
   *   trainer is training the model, or writes into `outputDir`; ERR_FILE_SYSTEM when `outputDir` cannot be written;
   *   ERR_DISPOSED; ERR_OUT_OF_MEMORY; ERR_NOT_FOUND and ERR_INVALID_FILE for the checkpoint to go on from;
   *   ERR_INVALID_TENSORS, listing what does not fit, for it and for `lossTensors`
   */
  async train(options: TrainOptions = {}): Promise<TrainResult> {
    checkOptions('train', options, ['signal', 'resumeFromCheckpoint'])
    return this.#train(options, this.#options.callbacks ?? [])
  }

  /**
   * Trains like {@link train} and yields what happens as events: `for await (const event of trainer.run()) …`. Training
   * starts when the loop does. Leaving the loop stops training after the running step. The last event, `trainEnd`, has the
   * result. docs/reporting.md says what a slow loop does to training.
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
   * @returns `eval_loss` (`eval_<name>_loss` by name), the evaluator's metrics with `eval_` before their names, runtime, `epoch`
   * @throws ERR_INVALID_ARGUMENT with neither a dataset nor an evaluator; ERR_BUSY while the model is being trained
   */
  async evaluate(dataset?: DataSource, options: EvaluateOptions = {}): Promise<LogRecord> {
    checkOptions('evaluate', options, ['signal'])
    const evalDataset = ownCopy(dataset) ?? this.#options.evalDataset
    if (evalDataset === undefined && this.#evaluator === undefined) {
      throw invalidArgument('evalDataset', 'a dataset, or an evaluator of the trainer,', undefined)
    }
    if (dataset !== undefined) {
      checkSource('evalDataset', evalDataset)
      warn(this.#checkDatasets(evalDataset!, 'evalDataset'))
    }
    const context = { args: this.args, state: this.#memory.state, control: newControl() }
    return this.#whileBusy('evaluate', async () => {
      const { evaluate } = await import('./run/train.js')
      const parts = this.#parts(options.signal, this.#options.callbacks ?? [])
      const { lossTensors = parts.lossTensors } = this.#memory
      const args = { ...this.args, reportTo: 'none' as const }
      return evaluate({ ...parts, args, lossTensors }, evalDataset, context)
    })
  }

  /** Saves the model, as `model.save(path)` does. @param path default: `outputDir` */
  async saveModel(path: string = this.args.outputDir): Promise<void> {
    await this.model.save(path)
  }

  /** Training waits after the running step until {@link resume}. Before `train()`: it waits before its first step. */
  pause(): void {
    this.#gate.close()
  }

  /** Continues training after {@link pause}. */
  resume(): void {
    this.#gate.open()
  }

  #train(options: TrainOptions, callbacks: readonly TrainerCallback[]): Promise<TrainResult> {
    const resume = options.resumeFromCheckpoint ?? this.args.resumeFromCheckpoint
    return this.#whileBusy('train', async () => {
      // Loaded on first use, so a process that only encodes skips it.
      const { train } = await import('./run/train.js')
      return train({ ...this.#parts(options.signal, callbacks), resume })
    })
  }

  /** @throws ERR_BUSY while the trainer trains or evaluates */
  async #whileBusy<T>(name: 'train' | 'evaluate', work: () => Promise<T>): Promise<T> {
    if (this.#busyWith !== undefined) {
      throw new SentenceTorchError('ERR_BUSY', `${name}: wait until ${this.#busyWith} of this trainer has ended`)
    }
    this.#busyWith = name
    try {
      return await work()
    } finally {
      this.#busyWith = undefined
    }
  }

  #parts(
    signal: AbortSignal | undefined,
    callbacks: readonly TrainerCallback[],
  ): SessionParts<M, L> & { memory: TrainerMemory } {
    const { trainDataset, evalDataset, lossTensors, progress = process.stdout, args: given = {} } = this.#options
    return {
      ...{ trainerName: this.#trainerName, model: this.model, args: this.args, given, trainDataset, evalDataset },
      ...{ lossTensors, callbacks, progress, signal, memory: this.#memory, gate: this.#gate, names: this.#names },
      ...{ evaluator: this.#evaluator, losses: this.#losses, modelFacts: this.modelFacts() },
      openPretrained: (nameOrPath) => this.openPretrained(nameOrPath, signal),
      batchMaker: (parts) => this.batchMaker(parts),
      checkDataset: (dataset, loss, which) => void this.checkDataset(dataset, loss, which),
    }
  }

  #checkDatasets(source: DataSource, which: string): string[] {
    return checkDatasets(source, which, this.#losses, (...given) => this.checkDataset(...given))
  }
}

function warn(warnings: readonly string[]): void {
  for (const warning of warnings) process.emitWarning(warning, 'SentenceTorchWarning')
}
