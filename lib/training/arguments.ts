import { type BatchSamplerName, checkBatchSamplerName } from '../data/samplers/index.js'
import { invalidArgument } from '../errors.js'
import { checkOneOf, checkOptions, checkType } from '../options.js'
import { PLANNED_ARGUMENTS, PLANNED_SCHEDULERS } from './planned-arguments.js'
import { checkLogArguments, type LogLevel, type ReportTo } from './reporting/arguments.js'
import { SCHEDULER_TYPES, type SchedulerType } from './schedule.js'

const STRATEGIES = ['no', 'steps', 'epoch'] as const
export type IntervalStrategy = (typeof STRATEGIES)[number]

/** Names, meanings and defaults of sentence-transformers' training arguments, in camelCase. */
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
  /** Leave out the last batch of a pass when it is not full. Default false. */
  dataloaderDropLast: boolean
  /** `no_duplicates`: no text twice in a batch. Default `batch_sampler`. */
  batchSampler: BatchSamplerName
  /** Peak learning rate. Default 5e-5. */
  learningRate: number
  /** Default `linear`. */
  lrSchedulerType: SchedulerType
  /** Steps of warm-up; below 1: share of all steps, rounded up. Default 0. */
  warmupSteps: number
  /** Share of all steps; read only where `warmupSteps` is 0. */
  warmupRatio: number
  /** AdamW, decoupled; never on biases and norms. Default 0. */
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
  /** Default `steps`, which also saves after the last step. */
  saveStrategy: IntervalStrategy
  /** Steps between checkpoints; below 1: share of all steps. Default 500. */
  saveSteps: number
  /** Of the order of the data, the dropout and the loss's own parameters. Default 42. */
  seed: number
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
}

/** The defaults, as sentence-transformers 6.0.1 with transformers 5.18 prints them. */
const DEFAULTS: TrainingArguments = {
  outputDir: 'tmp_trainer',
  numTrainEpochs: 3,
  maxSteps: -1,
  perDeviceTrainBatchSize: 8,
  perDeviceEvalBatchSize: 8,
  gradientAccumulationSteps: 1,
  dataloaderDropLast: false,
  batchSampler: 'batch_sampler',
  learningRate: 5e-5,
  lrSchedulerType: 'linear',
  warmupSteps: 0,
  warmupRatio: 0,
  weightDecay: 0,
  adamBeta1: 0.9,
  adamBeta2: 0.999,
  adamEpsilon: 1e-8,
  maxGradNorm: 1,
  bf16: false,
  loggingStrategy: 'steps',
  loggingSteps: 500,
  loggingFirstStep: false,
  evalStrategy: 'no',
  evalSteps: 500,
  saveStrategy: 'steps',
  saveSteps: 500,
  seed: 42,
  disableTqdm: false,
  logLevel: 'passive',
  reportTo: 'none',
  loggingDir: null,
  logTimings: false,
}

/**
 * Checks what the caller gave and fills in the defaults. The result is frozen.
 *
 * @throws ERR_UNKNOWN_OPTION for a misspelt name, with the closest known one; ERR_NOT_IMPLEMENTED for an argument of
 *   sentence-transformers that is not built yet; ERR_INVALID_ARGUMENT for a value of the wrong type or range
 */
export function resolveArguments(given: Partial<TrainingArguments> = {}): Readonly<TrainingArguments> {
  checkOptions('args', given, Object.keys(DEFAULTS), PLANNED_ARGUMENTS)
  const present = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  const args: TrainingArguments = { ...DEFAULTS, ...present }
  if (given.evalSteps === undefined) args.evalSteps = args.loggingSteps

  if (typeof args.outputDir !== 'string' || args.outputDir === '') {
    throw invalidArgument('outputDir', 'the path of a folder', args.outputDir)
  }
  for (const name of ['perDeviceTrainBatchSize', 'perDeviceEvalBatchSize', 'gradientAccumulationSteps'] as const) {
    check(args, name, 'a whole number of at least 1', (value) => Number.isInteger(value) && value >= 1)
  }
  for (const name of ['loggingSteps', 'evalSteps', 'saveSteps'] as const) {
    check(args, name, STEPS_OR_RATIO, (value) => value > 0 && stepsLike(value))
  }
  check(args, 'warmupSteps', STEPS_OR_RATIO, (value) => value >= 0 && stepsLike(value))
  check(args, 'warmupRatio', 'a number from 0 to 1', (value) => value >= 0 && value <= 1)
  check(args, 'numTrainEpochs', 'a positive number', (value) => value > 0 && Number.isFinite(value))
  check(
    args,
    'maxSteps',
    'a whole number above 0, or -1 for none',
    (value) => Number.isInteger(value) && (value > 0 || value === -1),
  )
  for (const name of ['learningRate', 'weightDecay', 'maxGradNorm'] as const) {
    check(args, name, 'a finite number of at least 0', (value) => value >= 0 && Number.isFinite(value))
  }
  check(args, 'adamEpsilon', 'a positive number', (value) => value > 0 && Number.isFinite(value))
  for (const name of ['adamBeta1', 'adamBeta2'] as const) {
    check(args, name, 'a number from 0 to below 1', (value) => value >= 0 && value < 1)
  }
  check(args, 'seed', 'a whole number from 0 to 2^53 - 1', (value) => Number.isSafeInteger(value) && value >= 0)
  for (const name of ['dataloaderDropLast', 'bf16', 'loggingFirstStep', 'disableTqdm'] as const) {
    checkType(name, args[name], 'boolean')
  }
  for (const name of ['loggingStrategy', 'evalStrategy'] as const) checkOneOf(name, args[name], STRATEGIES)
  checkOneOf('saveStrategy', args.saveStrategy, STRATEGIES, ['best'])
  checkOneOf('lrSchedulerType', args.lrSchedulerType, SCHEDULER_TYPES, PLANNED_SCHEDULERS)
  checkLogArguments(args)
  checkBatchSamplerName(args.batchSampler)
  return Object.freeze(args)
}

const STEPS_OR_RATIO = 'a whole number of steps, or a share of all steps below 1,'

function stepsLike(value: number): boolean {
  return value < 1 || Number.isInteger(value)
}

type NumberName = {
  [K in keyof TrainingArguments]: TrainingArguments[K] extends number ? K : never
}[keyof TrainingArguments]

function check(args: TrainingArguments, name: NumberName, expected: string, fits: (value: number) => boolean): void {
  const value: unknown = args[name]
  if (typeof value !== 'number' || !fits(value)) throw invalidArgument(name, expected, value)
}
