import type { MultiDatasetBatchSamplerChoice } from '../../data/feed.js'
import type { BatchSamplerChoice } from '../../data/samplers/index.js'
import { checkOptions, ownCopy } from '../../options.js'
import { checkArguments } from './check-arguments.js'
import type { LogLevel, ReportTo } from './log-arguments.js'
import type { OptimizerName } from './optimizer.js'
import { PLANNED_ARGUMENTS } from './planned-arguments.js'
import type { TrainingPrompts } from './prompts.js'
import type { SchedulerKwargs, SchedulerType } from './schedule.js'

export type IntervalStrategy = 'no' | 'steps' | 'epoch'
/** `best`: after every evaluation that is better than all before. */
export type SaveStrategy = IntervalStrategy | 'best'

/** Names, meanings and defaults of sentence-transformers' training arguments, in camelCase. docs/training.md has them all. */
export interface TrainingArguments {
  /** Folder for checkpoints (`checkpoint-N`) and the evaluators' CSV files (`eval`). */
  outputDir: string
  /** Passes over the data; a fraction ends inside a pass. Default 3. */
  numTrainEpochs: number
  /** Optimiser steps; overrides `numTrainEpochs` when above 0. Default −1. */
  maxSteps: number

  /** Rows per training batch. Default 8. */
  perDeviceTrainBatchSize: number
  /** Rows per batch of `evalDataset`. Default 8. */
  perDeviceEvalBatchSize: number
  /** Batches whose gradients are averaged before one update; adds no in-batch negatives. Default 1. */
  gradientAccumulationSteps: number
  /**
   * Gradient caching: rows (of all columns) that pass the encoder at once, while the loss sees the whole batch. The same
   * gradients up to rounding, in less memory. `auto`: as many tokens as the free memory allows, chosen once and kept in
   * checkpoints. Default null: what the loss asks for (the Cached… losses), else all at once.
   */
  miniBatchSize: number | 'auto' | null
  /** As `miniBatchSize`, in tokens. At most one of the two. Default null. */
  miniBatchTokens: number | null
  /** Leave out the last batch of a pass when it is not full. Default false. */
  dataloaderDropLast: boolean
  /** Threads that tokenise; 0: the main thread, in short slices (big jobs use two threads). Default 0. */
  dataloaderNumWorkers: number
  /** `no_duplicates`: no text twice in a batch. One for all datasets, or by dataset. Default `batch_sampler`. */
  batchSampler: BatchSamplerChoice | Readonly<Record<string, BatchSamplerChoice>>
  /** Order of the batches of several datasets. Default `proportional`. */
  multiDatasetBatchSampler: MultiDatasetBatchSamplerChoice
  /** Factors of the losses of datasets, by name. Default null: 1 for all. */
  datasetWeights: Readonly<Record<string, number>> | null
  /** What is put in front of the texts: one text, or by column, by dataset, or by dataset and column. Default null. */
  prompts: TrainingPrompts | null
  /** Tokens per text at most, for all columns or by column. Default null: the model's `maxSeqLength`. */
  maxSeqLength: number | Readonly<Record<string, number>> | null

  /** Default `adamw_torch_fused`, the same as `adamw_torch` here. */
  optim: OptimizerName
  /** More settings of the optimiser, `{ alpha: 0.9 }` or `'alpha=0.9'`. Default null. */
  optimArgs: Readonly<Record<string, number>> | string | null
  /** Peak learning rate. Default 5e-5. */
  learningRate: number
  /** Learning rates of parameters whose name a regular expression finds: see docs/training.md for the names. Default {}. */
  learningRateMapping: Readonly<Record<string, number>>
  /** A regular expression, or several, for the names of parameters which are not trained. Default []. */
  freeze: string | RegExp | readonly (string | RegExp)[]
  /** Default `linear`. */
  lrSchedulerType: SchedulerType
  /** Settings of the schedule, as `{ numCycles: 2 }`. Default null. */
  lrSchedulerKwargs: SchedulerKwargs | null
  /** Steps of warm-up; below 1: share of all steps, rounded up. Default 0. */
  warmupSteps: number
  /** Share of all steps; read only where `warmupSteps` is 0. */
  warmupRatio: number
  /** Decoupled for AdamW, else added to the gradient; never on biases and norms. Default 0. */
  weightDecay: number
  adamBeta1: number
  adamBeta2: number
  adamEpsilon: number
  /** Largest norm of all gradients together; 0 = no clipping. Default 1. */
  maxGradNorm: number
  /**
   * Compute in bfloat16 while training, from float32 master weights, also in evaluations and in `encode` meanwhile; the
   * model computes as it was loaded before and after. Default false: as loaded.
   */
  bf16: boolean
  /** On the CPU a warning, and float32; elsewhere refused: `bf16` needs no loss scaling. Default false. */
  fp16: boolean
  /** Keep the inputs of layers alone and compute the rest again in the backward pass: less memory, the same results. */
  gradientCheckpointing: boolean
  /** The same as `gradientCheckpointing`. */
  activationCheckpointing: boolean

  /** Default `steps`. */
  loggingStrategy: IntervalStrategy
  /** Steps between log records; below 1: share of all steps. Default 500. */
  loggingSteps: number
  /** A record after the first step too. Default false. */
  loggingFirstStep: boolean
  /** Default `no`. With `steps` also after the last step. */
  evalStrategy: IntervalStrategy
  /** Steps between evaluations; below 1: share of all steps. Default: `loggingSteps`. */
  evalSteps: number
  /** Steps (with `evalStrategy` `epoch`: epochs) before the first evaluation. Default 0. */
  evalDelay: number
  /** Evaluate before the first step. Default false. */
  evalOnStart: boolean
  /** Default `steps`, which also saves after the last step. */
  saveStrategy: SaveStrategy
  /** Steps between checkpoints; below 1: share of all steps. Default 500. */
  saveSteps: number
  /** Checkpoints that are kept: the newest, the best, and of the others the newest. Default null: all. */
  saveTotalLimit: number | null
  /** Checkpoints without the state of the optimiser: smaller, but training cannot go on from them. Default false. */
  saveOnlyModel: boolean
  /** At the end, give the model the weights of the best checkpoint. Default false. */
  loadBestModelAtEnd: boolean
  /** Metric of an evaluation, with or without `eval_`. Default null: `loss` where it is needed. */
  metricForBestModel: string | null
  /** Default null: false for metrics that end in `loss`. */
  greaterIsBetter: boolean | null
  /**
   * SIGINT and SIGTERM end training after the running step, with a last checkpoint whatever `saveStrategy` is; then the process
   * ends by the signal (a shell sees 130 or 143): docs/training.md. Default false: the process ends at once.
   */
  handleSignals: boolean
  /** A checkpoint to go on from; true: the newest of `outputDir`. `train({ resumeFromCheckpoint })` overrides it. */
  resumeFromCheckpoint: boolean | string | null

  /** Of the order of the data, the dropout and the loss's own parameters. Default 42. */
  seed: number
  /** Of the order of the data alone. Default null: `seed`. */
  dataSeed: number | null
  /** Folder where token ids are kept, so that later epochs and later runs do not tokenise again. Default null: only in memory. */
  tokenCacheDir: string | null
  /** No progress bar, plain lines. Default false. */
  disableTqdm: boolean
  /** `info` prints what transformers prints at that level; `passive` and all above `info`: nothing more. Default `passive`. */
  logLevel: LogLevel
  /** Where the log is written too, into `loggingDir`; docs/reporting.md. Default `none`. */
  reportTo: ReportTo | readonly ReportTo[]
  /** Folder of `reportTo`. Default null: `runs/<date>_<host>` in `outputDir`. */
  loggingDir: string | null
  /** Log where the time goes (`time_…`) and `tokens_per_second`. Default false. */
  logTimings: boolean
  /** `st-6.0.1`: imitate what that version does otherwise than it documents: see docs/training.md. Default null. */
  compat: 'st-6.0.1' | null
}

/** The defaults, as sentence-transformers 6.2.0 with transformers 5.24 prints them. */
const DEFAULTS: TrainingArguments = {
  outputDir: 'tmp_trainer',
  numTrainEpochs: 3,
  maxSteps: -1,
  perDeviceTrainBatchSize: 8,
  perDeviceEvalBatchSize: 8,
  gradientAccumulationSteps: 1,
  miniBatchSize: null,
  miniBatchTokens: null,
  dataloaderDropLast: false,
  dataloaderNumWorkers: 0,
  batchSampler: 'batch_sampler',
  multiDatasetBatchSampler: 'proportional',
  datasetWeights: null,
  prompts: null,
  maxSeqLength: null,
  optim: 'adamw_torch_fused',
  optimArgs: null,
  learningRate: 5e-5,
  learningRateMapping: {},
  freeze: [],
  lrSchedulerType: 'linear',
  lrSchedulerKwargs: null,
  warmupSteps: 0,
  warmupRatio: 0,
  weightDecay: 0,
  adamBeta1: 0.9,
  adamBeta2: 0.999,
  adamEpsilon: 1e-8,
  maxGradNorm: 1,
  bf16: false,
  fp16: false,
  gradientCheckpointing: false,
  activationCheckpointing: false,
  loggingStrategy: 'steps',
  loggingSteps: 500,
  loggingFirstStep: false,
  evalStrategy: 'no',
  evalSteps: 500,
  evalDelay: 0,
  evalOnStart: false,
  saveStrategy: 'steps',
  saveSteps: 500,
  saveTotalLimit: null,
  saveOnlyModel: false,
  loadBestModelAtEnd: false,
  metricForBestModel: null,
  greaterIsBetter: null,
  handleSignals: false,
  resumeFromCheckpoint: null,
  seed: 42,
  dataSeed: null,
  tokenCacheDir: null,
  disableTqdm: false,
  logLevel: 'passive',
  reportTo: 'none',
  loggingDir: null,
  logTimings: false,
  compat: null,
}

/**
 * Checks what the caller gave and fills in the defaults. The result is frozen.
 *
 * @throws ERR_UNKNOWN_OPTION for a misspelt name, with the closest known one; ERR_NOT_IMPLEMENTED for an argument of
 *   sentence-transformers that is not built; ERR_INVALID_ARGUMENT for a value of the wrong type or range
 */
export function resolveArguments(given: Partial<TrainingArguments> = {}): Readonly<TrainingArguments> {
  checkOptions('args', given, Object.keys(DEFAULTS), PLANNED_ARGUMENTS)
  const present = Object.fromEntries(Object.entries(given).filter(([name, value]) => !isAbsent(name, value)))
  const args: TrainingArguments = { ...DEFAULTS, ...ownCopy(present) }
  if (present.evalSteps === undefined) args.evalSteps = args.loggingSteps
  checkArguments(args)
  // As TrainingArguments.__post_init__ does.
  if (args.loadBestModelAtEnd) args.metricForBestModel ??= 'loss'
  if (args.metricForBestModel !== null) args.greaterIsBetter ??= !args.metricForBestModel.endsWith('loss')
  return Object.freeze(args)
}

/** undefined, and the null that stands there for "as by default". */
function isAbsent(name: string, value: unknown): boolean {
  return value === undefined || (value === null && DEFAULTS[name as keyof TrainingArguments] !== null)
}
