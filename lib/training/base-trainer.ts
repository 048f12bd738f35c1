import { type DataSource, isDataStream, isDataset } from '../data/feed.js'
import { fromNative, invalidArgument, SentenceTorchError } from '../errors.js'
import { loadAddon } from '../native/load.js'
import type { NativeTrainer } from '../native/types.js'
import { checkOptions, type NotBuilt, ownCopy } from '../options.js'
import { resolveArguments, type TrainingArguments } from './arguments.js'
import { checkCallbacks, emitInitEnd } from './callback-list.js'
import { newControl, newState, type TrainerCallback } from './callbacks.js'
import { type TrainingEvent, trainingEvents } from './events.js'
import { Gate } from './gate.js'
import { type LossChoice, LossSet } from './loss-set.js'
import { checkLossTensors, copyLossTensors } from './loss-tensors.js'
import { optimizerSpec } from './optimizer.js'
import { precisionWarnings, trainingPrecision } from './precision.js'
import { Timings } from './reporting/timings.js'
import { TrainingAbortedError, type TrainResult } from './result.js'
import type { BaseLoss, BaseTrainerOptions, TrainableModel, TrainerKind, TrainOptions } from './trainer-kind.js'

export type {
  BaseLoss,
  BaseTrainerOptions,
  BatchMakerParts,
  BatchMaking,
  EvaluatorOf,
  TrainableModel,
  TrainerKind,
  TrainOptions,
} from './trainer-kind.js'

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
  readonly #gate = new Gate()

  protected constructor(options: BaseTrainerOptions<M, L>, kind: TrainerKind<M, L>) {
    checkOptions(kind.name, options, OPTIONS, PLANNED_OPTIONS)
    this.#kind = kind
    this.model = options.model
    this.args = resolveArguments(options.args)
    checkParts(options, kind)
    this.#options = ownOptions(options)
    this.loss = options.loss ?? kind.defaultLoss(options.model)
    this.#losses = new LossSet(this.loss)
    const { trainDataset, evalDataset, evaluator } = this.#options
    const warnings = [
      ...precisionWarnings(this.args, this.model, () => loadAddon().runtime()),
      ...this.#checkData(trainDataset, 'trainDataset'),
    ]
    if (evalDataset) warnings.push(...this.#checkData(evalDataset, 'evalDataset'))
    if (this.args.evalStrategy === 'no' && !this.args.evalOnStart && (evalDataset || evaluator)) {
      warnings.push("evalDataset and evaluator are not used during training, because evalStrategy is 'no'")
    }
    if ((this.args.evalStrategy !== 'no' || this.args.evalOnStart) && !evalDataset && !evaluator) {
      throw new SentenceTorchError(
        'ERR_INVALID_ARGUMENT',
        `evalStrategy is '${this.args.evalStrategy}'${this.args.evalOnStart ? ' with evalOnStart' : ''}, but there is ` +
          'neither an evalDataset nor an evaluator',
      )
    }
    for (const warning of warnings) process.emitWarning(warning, 'SentenceTorchWarning')
    emitInitEnd(options.callbacks ?? [], { args: this.args, state: newState(), control: newControl() })
  }

  /**
   * Trains. The weights of `model` change step by step; in between, and after an error or an abort, they are valid.
   *
   * @param options.signal stops after the steps that are running (two at most), with a last checkpoint unless
   *   `saveStrategy` is `no`
   * @returns steps done, mean loss, and `metrics` (seconds, rows and steps per second)
   * @throws TrainingAbortedError (name `AbortError`, code ERR_ABORTED) with the partial result; ERR_BUSY when another
   *   trainer is at work on the model; ERR_DISPOSED; ERR_OUT_OF_MEMORY; ERR_NOT_FOUND and ERR_INVALID_FILE for the
   *   checkpoint to go on from; ERR_INVALID_TENSORS, listing what does not fit, for it and for `lossTensors`
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

  /** Lets the running step end and waits then, until {@link resume}. Before `train()`: it waits before its first step. */
  pause(): void {
    this.#gate.close()
  }

  /** Goes on after {@link pause}. */
  resume(): void {
    this.#gate.open()
  }

  async #train(options: TrainOptions, callbacks: readonly TrainerCallback[]): Promise<TrainResult> {
    const { signal } = options
    const { progress = process.stdout } = this.#options
    // Who only encodes does not load them.
    const [{ trainLoop }, { Reporting }, { TrainerSession }] = await Promise.all([
      import('./loop.js'),
      import('./reporting/reporting.js'),
      import('./session.js'),
    ])
    const reporting = new Reporting(this.args, progress)
    const native = this.#nativeTrainer()
    const session = new TrainerSession({
      ...this.#options,
      args: this.args,
      given: this.#options.args ?? {},
      kind: this.#kind,
      losses: this.#losses,
      native,
      signal,
      callbacks: [...callbacks, ...reporting.callbacks],
      say: (text) => reporting.say(text),
      timings: this.args.logTimings ? new Timings() : undefined,
      gate: this.#gate,
    })
    try {
      const run = await session.begin(options.resumeFromCheckpoint ?? this.args.resumeFromCheckpoint)
      try {
        return await trainLoop(run, signal)
      } catch (error) {
        if (error instanceof TrainingAbortedError || !signal?.aborted || !isAbort(error, signal)) {
          await run.abandon()
          throw error
        }
        // Whatever was waiting when the signal fired (tokenizer, evaluator) has thrown an error of its own. The step that
        // runs still counts: the last checkpoint has its weights.
        await run.settle()
        throw await run.aborted(signal.reason)
      }
    } finally {
      await session.close()
      await native.dispose()
      await reporting.close()
    }
  }

  #nativeTrainer(): NativeTrainer {
    const { args, model } = this
    const { embeddingDimension } = model.encoder
    const precision = trainingPrecision(args.bf16, model)
    const { Trainer } = loadAddon()
    try {
      return new Trainer(model.encoder, {
        losses: this.#losses.all.map(({ name, loss }) => ({ name, spec: loss.spec(embeddingDimension, model.config) })),
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

function isAbort(error: unknown, signal: AbortSignal): boolean {
  return error === signal.reason || (error instanceof SentenceTorchError && error.code === 'ERR_ABORTED')
}

function checkParts<M extends TrainableModel, L extends BaseLoss>(
  options: BaseTrainerOptions<M, L>,
  kind: TrainerKind<M, L>,
): void {
  const { model, trainDataset, evalDataset, evaluator, callbacks, lossTensors } = options
  if (!kind.isModel(model)) throw invalidArgument('model', kind.modelName, model)
  checkSource('trainDataset', trainDataset)
  if (evalDataset !== undefined) checkSource('evalDataset', evalDataset)
  if (evaluator !== undefined && typeof evaluator?.evaluate !== 'function') {
    throw invalidArgument('evaluator', 'an object with the method evaluate', evaluator)
  }
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
