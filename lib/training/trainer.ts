import type { Dataset } from '../data/dataset.js'
import { createBatchSampler } from '../data/samplers/index.js'
import { fromNative, invalidArgument, SentenceTorchError } from '../errors.js'
import type { Evaluator } from '../evaluation/evaluator.js'
import { CoSENTLoss } from '../losses/cosent.js'
import type { Loss } from '../losses/loss.js'
import type { SentenceTransformer } from '../models/sentence-transformer.js'
import { loadAddon } from '../native/load.js'
import type { NativeTrainer } from '../native/types.js'
import { checkOptions } from '../options.js'
import { resolveArguments, type TrainingArguments } from './arguments.js'
import { BatchMaker, type BatchSource } from './batches.js'
import { checkCallbacks, emitInitEnd } from './callback-list.js'
import { newControl, newState, type TrainerCallback } from './callbacks.js'
import { checkData } from './check-data.js'
import { type TrainingEvent, trainingEvents } from './events.js'
import { Gate } from './gate.js'
import { checkLossTensors, type LossTensors, loadLossTensors, readLossTensors } from './loss-tensors.js'
import { precisionWarning, trainingPrecision } from './precision.js'
import type { ProgressOutput } from './progress.js'
import { runningTraining, trainedParameters } from './reporting/messages.js'
import { Reporting } from './reporting/reporting.js'
import { Timings } from './reporting/timings.js'
import { TrainingAbortedError, type TrainResult } from './result.js'
import { TrainingRun } from './run.js'

export interface SentenceTransformerTrainerOptions {
  model: SentenceTransformer
  /** See {@link TrainingArguments}; what is absent has sentence-transformers' default. */
  args?: Partial<TrainingArguments>
  trainDataset: Dataset
  /** For `eval_loss`; read when `evalStrategy` is not `no`. */
  evalDataset?: Dataset
  /** Default: `new CoSENTLoss()`. */
  loss?: Loss
  /** Runs at every evaluation; its CSV goes to `outputDir/eval`. Read when `evalStrategy` is not `no`. */
  evaluator?: Evaluator
  /**
   * What the parameters that the loss owns start from: the `lossTensors` of an earlier result, or the path of a
   * checkpoint's `loss.safetensors`. Default: random values from `seed`.
   */
  lossTensors?: LossTensors | string
  callbacks?: readonly TrainerCallback[]
  /** Where progress is shown, `false` for nowhere. Default: `process.stdout`. */
  progress?: ProgressOutput | false
}

const OPTIONS = [
  ...['model', 'args', 'trainDataset', 'evalDataset', 'loss', 'lossTensors', 'evaluator', 'callbacks', 'progress'],
]
const PLANNED_OPTIONS = {
  dataCollator: { harmless: [null] },
  processingClass: { harmless: [null] },
  tokenizer: { harmless: [null] },
  modelInit: { harmless: [null] },
  computeMetrics: { harmless: [null] },
  optimizers: { harmless: [null] },
  optimizerClsAndKwargs: { harmless: [null] },
  preprocessLogitsForMetrics: { harmless: [null] },
}

/**
 * Fine-tunes a model in place. The same arguments, schedule, log names and order of events as sentence-transformers'
 * trainer; see docs/losses.md for what each loss wants of the data.
 *
 * @throws ERR_INVALID_DATA, naming the row, for data that the loss cannot take; ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 *   and ERR_NOT_IMPLEMENTED for options. All before training starts.
 */
export class SentenceTransformerTrainer {
  readonly model: SentenceTransformer
  readonly args: Readonly<TrainingArguments>
  readonly loss: Loss
  readonly #options: SentenceTransformerTrainerOptions
  readonly #gate = new Gate()

  constructor(options: SentenceTransformerTrainerOptions) {
    checkOptions('SentenceTransformerTrainer', options, OPTIONS, PLANNED_OPTIONS)
    this.#options = options
    this.model = options.model
    this.args = resolveArguments(options.args)
    this.loss = options.loss ?? new CoSENTLoss()
    checkParts(options, this.loss)
    const { trainDataset, evalDataset, evaluator } = options
    const warnings = [
      precisionWarning(this.args.bf16, this.model, () => loadAddon().runtime()),
      checkData(trainDataset, this.loss, 'trainDataset'),
    ]
    if (evalDataset) warnings.push(checkData(evalDataset, this.loss, 'evalDataset'))
    if (this.args.evalStrategy === 'no' && (evalDataset || evaluator)) {
      warnings.push("evalDataset and evaluator are not used during training, because evalStrategy is 'no'")
    }
    if (this.args.evalStrategy !== 'no' && !evalDataset && !evaluator) {
      throw new SentenceTorchError(
        'ERR_INVALID_ARGUMENT',
        `evalStrategy is '${this.args.evalStrategy}', but there is neither an evalDataset nor an evaluator`,
      )
    }
    for (const warning of warnings) if (warning) process.emitWarning(warning, 'SentenceTorchWarning')
    emitInitEnd(options.callbacks ?? [], { args: this.args, state: newState(), control: newControl() })
  }

  /**
   * Trains. The weights of `model` change step by step; in between, and after an error or an abort, they are valid.
   *
   * @param options.signal stops after the steps that are running (two at most), with a last checkpoint unless
   *   `saveStrategy` is `no`
   * @returns steps done, mean loss, and `metrics` (seconds, rows and steps per second)
   * @throws TrainingAbortedError (name `AbortError`, code ERR_ABORTED) with the partial result; ERR_BUSY when another
   *   trainer is at work on the model; ERR_DISPOSED; ERR_OUT_OF_MEMORY;
   *   ERR_INVALID_TENSORS, listing what does not fit, for `lossTensors`
   */
  train({ signal }: { signal?: AbortSignal } = {}): Promise<TrainResult> {
    return this.#train(signal, this.#options.callbacks ?? [])
  }

  /**
   * Trains like {@link train} and gives what happens as events: `for await (const event of trainer.run()) …`. Training
   * starts when the loop does; leaving the loop stops it after the running step. The last event, `trainEnd`, has the result.
   * docs/reporting.md says what a slow loop does to training.
   *
   * @throws in the loop, what `train` rejects with
   */
  run({ signal }: { signal?: AbortSignal } = {}): AsyncGenerator<TrainingEvent, void, undefined> {
    const { callbacks = [] } = this.#options
    return trainingEvents((listener) => this.#train(signal, [...callbacks, listener]), { onLeave: () => this.resume() })
  }

  /** Lets the running step end and waits then, until {@link resume}. Before `train()`: it waits before its first step. */
  pause(): void {
    this.#gate.close()
  }

  /** Goes on after {@link pause}. */
  resume(): void {
    this.#gate.open()
  }

  async #train(signal: AbortSignal | undefined, callbacks: readonly TrainerCallback[]): Promise<TrainResult> {
    const { progress = process.stdout, trainDataset, evalDataset, evaluator } = this.#options
    const reporting = new Reporting(this.args, progress)
    const native = this.#nativeTrainer()
    const timings = this.args.logTimings ? new Timings() : undefined
    const run = new TrainingRun({
      args: this.args,
      native,
      train: this.#source(trainDataset, this.args.perDeviceTrainBatchSize, signal, false, timings),
      evalData: evalDataset && this.#source(evalDataset, this.args.perDeviceEvalBatchSize, signal, true),
      evaluate: evaluator && ((context) => evaluator.evaluate(this.model, context)),
      save: (folder) => this.model.save(folder),
      reportsAreFree: this.model.device === 'cpu',
      callbacks: [...callbacks, ...reporting.callbacks],
      say: (text) => reporting.say(text),
      timings,
      signal,
      gate: this.#gate,
    })
    try {
      await this.#loadLossTensors(native)
      const parameters = trainedParameters([...this.model.encoder.tensors(), ...native.tensors()])
      reporting.say(runningTraining({ args: this.args, examples: trainDataset.length, parameters, ...run.plan }))
      return await trainLoop(run, signal)
    } catch (error) {
      await run.abandon()
      if (error instanceof TrainingAbortedError) throw error
      // Whatever was waiting when the signal fired (tokenizer, evaluator) has thrown an error of its own.
      throw signal?.aborted && isAbort(error, signal) ? await run.aborted(signal.reason) : error
    } finally {
      await native.dispose()
      await reporting.close()
    }
  }

  #nativeTrainer(): NativeTrainer {
    const { weightDecay, adamBeta1, adamBeta2, adamEpsilon, maxGradNorm, seed } = this.args
    const loss = this.loss.spec(this.model.encoder.embeddingDimension)
    const precision = trainingPrecision(this.args.bf16, this.model)
    const { Trainer } = loadAddon()
    try {
      return new Trainer(this.model.encoder, {
        losses: [{ name: '', spec: loss }],
        optimizer: { type: 'adamw', beta1: adamBeta1, beta2: adamBeta2, epsilon: adamEpsilon },
        weightDecay,
        maxGradNorm,
        seed,
        ...(precision && { precision }),
      })
    } catch (error) {
      throw fromNative(error, 'Trainer')
    }
  }

  async #loadLossTensors(native: NativeTrainer): Promise<void> {
    const { lossTensors } = this.#options
    if (lossTensors === undefined) return
    await loadLossTensors(native, typeof lossTensors === 'string' ? await readLossTensors(lossTensors) : lossTensors)
  }

  #source(dataset: Dataset, batchSize: number, signal?: AbortSignal, keepAll = false, timings?: Timings): BatchSource {
    const { batchSampler, dataloaderDropLast, seed } = this.args
    const { tokenizer } = this.model
    return {
      sampler: createBatchSampler(batchSampler, dataset, {
        batchSize,
        seed,
        dropLast: dataloaderDropLast && !keepAll,
      }),
      maker: new BatchMaker(dataset, this.loss, (texts) => {
        const tokens = tokenizer.encodeAll(texts, this.model.maxSeqLength, signal && { signal })
        return timings ? timings.tokenizing(tokens) : tokens
      }),
    }
  }
}

/** The loop: while the engine computes one step, the next is tokenised, packed and handed over. */
export async function trainLoop(run: TrainingRun, signal?: AbortSignal): Promise<TrainResult> {
  await run.emit('onTrainBegin')
  for (let epoch = 0; run.wantsEpoch(epoch) && !signal?.aborted; epoch++) {
    let batches = 0
    await run.emit('onEpochBegin')
    for await (const group of run.groups(epoch)) {
      await run.pause()
      if (signal?.aborted || run.isOver) break
      await run.emit('onStepBegin')
      batches += group.length
      const due = await run.step(group, epoch + batches / run.plan.batchesPerEpoch)
      if (run.asksFor(due)) {
        await run.settle()
        await run.meet(due)
      }
      if (run.isOver || run.control.shouldEpochStop) break
    }
    await run.settle()
    if (signal?.aborted) break
    if (batches === 0 && !run.isOver)
      throw new SentenceTorchError('ERR_INVALID_DATA', 'The sampler makes no batch of trainDataset')
    run.control.shouldEpochStop = false
    await run.emit('onEpochEnd')
    await run.meet(run.plan.dueAfterEpoch())
  }
  if (signal?.aborted) throw await run.aborted(signal.reason)
  return run.finish()
}

function isAbort(error: unknown, signal: AbortSignal): boolean {
  return error === signal.reason || (error instanceof SentenceTorchError && error.code === 'ERR_ABORTED')
}

function checkParts(options: SentenceTransformerTrainerOptions, loss: Loss): void {
  const { model, trainDataset, evalDataset, evaluator, callbacks, lossTensors } = options
  const isDataset = (value: unknown): boolean => Array.isArray((value as Dataset | undefined)?.textColumns)
  if (typeof model?.encode !== 'function') throw invalidArgument('model', 'a SentenceTransformer', model)
  if (!isDataset(trainDataset)) throw invalidArgument('trainDataset', 'a Dataset', trainDataset)
  if (evalDataset !== undefined && !isDataset(evalDataset))
    throw invalidArgument('evalDataset', 'a Dataset', evalDataset)
  if (typeof loss?.spec !== 'function') throw invalidArgument('loss', 'a loss, such as new losses.CoSENTLoss()', loss)
  if (evaluator !== undefined && typeof evaluator?.evaluate !== 'function') {
    throw invalidArgument('evaluator', 'an object with the method evaluate', evaluator)
  }
  checkLossTensors(lossTensors)
  checkCallbacks(callbacks)
}
