import { type DataSource, isDataStream, isDataset } from '../data/feed.js'
import { invalidArgument } from '../errors.js'
import { checkOptions, type NotBuilt, ownCopy } from '../options.js'
import type { PartialTrainingArguments } from './arguments/arguments.js'
import type { LossChoice } from './batches/loss-set.js'
import type { TrainerCallback } from './callbacks/callbacks.js'
import { checkCallbacks } from './callbacks/check-callbacks.js'
import { checkLossTensors, copyLossTensors, type LossTensors } from './checkpoint/loss-tensors.js'
import type { ProgressOutput } from './reporting/progress.js'
import type { EvaluatorChoice } from './run/evaluator-choice.js'

export interface BaseTrainerOptions<M, L> {
  model: M
  /** See {@link TrainingArguments}; what is absent has sentence-transformers' default. */
  args?: PartialTrainingArguments
  /** One dataset or stream, or several by name: every batch is of one of them. */
  trainDataset: DataSource
  /** For `eval_loss`, or `eval_<name>_loss` by name; read by `evaluate()`, and while training when `evalStrategy` is not `no`. */
  evalDataset?: DataSource
  /** One for all datasets, or one for each by name. */
  loss?: LossChoice<L>
  /** Runs at every evaluation; its CSV goes to `outputDir/eval`. Several in an array are one after the other. */
  evaluator?: EvaluatorChoice<M>
  /**
   * What the parameters that the losses own start from: the `lossTensors` of an earlier result, or the path of a
   * checkpoint's `loss.safetensors`. Default: random values from `seed`. A resumed run takes those of its checkpoint.
   */
  lossTensors?: LossTensors | string
  callbacks?: readonly TrainerCallback[]
  /** Where progress is shown, `false` for nowhere. Default: `process.stdout`. */
  progress?: ProgressOutput | false
}

export interface EvaluateOptions {
  signal?: AbortSignal
}

export interface TrainOptions {
  /** Stops after the steps that are running (two at most). */
  signal?: AbortSignal
  /** The checkpoint to go on from; true: the newest in `outputDir`. Default: `args.resumeFromCheckpoint`. */
  resumeFromCheckpoint?: boolean | string
}

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

/** @param trainer for the message @throws ERR_UNKNOWN_OPTION, ERR_NOT_IMPLEMENTED, ERR_INVALID_ARGUMENT */
export function checkOptionNames(trainer: string, options: unknown): void {
  checkOptions(trainer, options, OPTIONS, PLANNED_OPTIONS)
}

/** Checks the types of the options, except `model`, `args`, `loss` and `evaluator`. @throws ERR_INVALID_ARGUMENT */
export function checkOptionTypes<M, L>(options: BaseTrainerOptions<M, L>): void {
  const { trainDataset, evalDataset, callbacks, lossTensors } = options
  checkSource('trainDataset', trainDataset)
  if (evalDataset !== undefined) checkSource('evalDataset', evalDataset)
  checkLossTensors(lossTensors)
  checkCallbacks(callbacks)
}

/** @throws ERR_INVALID_ARGUMENT for anything but datasets and streams */
export function checkSource(name: string, source: unknown): void {
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

/** A copy of the options: `train` reads them long after the trainer was made, and the caller may change the objects by then. */
export function copyOptions<M, L>(options: BaseTrainerOptions<M, L>): BaseTrainerOptions<M, L> {
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
