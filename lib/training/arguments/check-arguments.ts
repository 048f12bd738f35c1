import { checkBatchSampler } from '../../data/samplers/index.js'
import { invalidArgument, SentenceTorchError } from '../../errors.js'
import { checkInteger, checkOneOf, checkType, isPlainObject } from '../../options.js'
import type { TrainingArguments } from './arguments.js'
import { checkLogArguments } from './log-arguments.js'
import { optimizerSpec } from './optimizer.js'
import { PLANNED_SCHEDULERS } from './planned-arguments.js'
import { checkPrompts } from './prompts.js'
import { makeSchedule, SCHEDULER_TYPES } from './schedule.js'

const STRATEGIES = ['no', 'steps', 'epoch']
const STEPS_OR_RATIO = 'a whole number of steps, or a share of all steps below 1,'

/** @throws ERR_INVALID_ARGUMENT, ERR_NOT_IMPLEMENTED */
export function checkArguments(args: TrainingArguments): void {
  checkText('outputDir', args.outputDir, 'the path of a folder')
  for (const name of ['perDeviceTrainBatchSize', 'perDeviceEvalBatchSize', 'gradientAccumulationSteps'] as const) {
    check(args, name, 'a whole number of at least 1', (value) => Number.isInteger(value) && value >= 1)
  }
  check(args, 'dataloaderNumWorkers', 'a whole number of at least 0', (value) => Number.isInteger(value) && value >= 0)
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
  for (const name of ['learningRate', 'weightDecay', 'maxGradNorm', 'evalDelay'] as const) {
    check(args, name, 'a finite number of at least 0', isAmount)
  }
  check(args, 'adamEpsilon', 'a positive number', (value) => value > 0 && Number.isFinite(value))
  for (const name of ['adamBeta1', 'adamBeta2'] as const) {
    check(args, name, 'a number from 0 to below 1', (value) => value >= 0 && value < 1)
  }
  for (const name of ['seed', 'dataSeed'] as const) {
    if (args[name] !== null) check(args, name, 'a whole number from 0 to 2^53 - 1', isSeed)
  }
  if (args.tokenCacheDir !== null) checkText('tokenCacheDir', args.tokenCacheDir, 'the path of a folder')
  for (const name of FLAGS) checkType(name, args[name], 'boolean')
  for (const name of ['loggingStrategy', 'evalStrategy'] as const) checkOneOf(name, args[name], STRATEGIES)
  checkOneOf('saveStrategy', args.saveStrategy, [...STRATEGIES, 'best'])
  checkOneOf('lrSchedulerType', args.lrSchedulerType, SCHEDULER_TYPES, PLANNED_SCHEDULERS)
  if (typeof args.multiDatasetBatchSampler !== 'function') {
    checkOneOf('multiDatasetBatchSampler', args.multiDatasetBatchSampler, ['proportional', 'round_robin'])
  }
  if (args.compat !== null) checkOneOf('compat', args.compat, ['st-6.0.1'])
  // What these refuse is refused here, before anything is loaded.
  makeSchedule({ ...scheduleOf(args), warmupSteps: 1, totalSteps: 2 })
  optimizerSpec(args)
  checkPrompts(args.prompts)
  checkLogArguments(args)
  checkSamplers(args)
  checkMaps(args)
  checkMiniBatch(args)
  checkBest(args)
}

const FLAGS = [
  ...(['dataloaderDropLast', 'bf16', 'fp16', 'gradientCheckpointing', 'activationCheckpointing'] as const),
  ...([
    'loggingFirstStep',
    'evalOnStart',
    'saveOnlyModel',
    'loadBestModelAtEnd',
    'disableTqdm',
    'handleSignals',
  ] as const),
] as const

/** What of the arguments makes the schedule. */
export function scheduleOf({ lrSchedulerType, lrSchedulerKwargs, learningRate }: Readonly<TrainingArguments>) {
  return { type: lrSchedulerType, learningRate, kwargs: lrSchedulerKwargs ?? {} }
}

function checkSamplers({ batchSampler }: TrainingArguments): void {
  const choices = isPlainObject(batchSampler) ? Object.values(batchSampler) : [batchSampler]
  for (const choice of choices) checkBatchSampler(choice)
}

function checkMaps(args: TrainingArguments): void {
  checkNumbers('datasetWeights', args.datasetWeights, 'a finite number of at least 0', isAmount)
  checkNumbers('learningRateMapping', args.learningRateMapping, 'a finite number of at least 0', isAmount)
  const isLength = (value: number) => Number.isInteger(value) && value >= 1
  if (typeof args.maxSeqLength === 'number') check(args, 'maxSeqLength', 'a whole number of at least 1', isLength)
  else checkNumbers('maxSeqLength', args.maxSeqLength, 'a whole number of at least 1', isLength)
  const frozen = [args.freeze].flat()
  for (const pattern of frozen) {
    if (typeof pattern !== 'string' && !(pattern instanceof RegExp)) {
      throw invalidArgument('freeze', 'a regular expression (a text or a RegExp) or an array of them', pattern)
    }
  }
  for (const pattern of [...Object.keys(args.learningRateMapping), ...frozen]) {
    try {
      new RegExp(pattern)
    } catch (cause) {
      const message = `${JSON.stringify(pattern)} in learningRateMapping or freeze is no regular expression`
      throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message, { cause })
    }
  }
}

function checkMiniBatch({ miniBatchSize, miniBatchTokens }: TrainingArguments): void {
  if (miniBatchSize !== null && miniBatchSize !== 'auto') checkInteger('miniBatchSize', miniBatchSize, 1)
  if (miniBatchTokens === null) return
  checkInteger('miniBatchTokens', miniBatchTokens, 1)
  if (miniBatchSize !== null) throw conflict('miniBatchSize and miniBatchTokens exclude each other')
}

/** Source: transformers `TrainingArguments.__post_init__` and `Trainer._validate_args`. */
function checkBest(args: TrainingArguments): void {
  if (args.saveTotalLimit !== null) checkInteger('saveTotalLimit', args.saveTotalLimit, 0)
  if (args.metricForBestModel !== null) checkText('metricForBestModel', args.metricForBestModel, 'the name of a metric')
  if (args.greaterIsBetter !== null) checkType('greaterIsBetter', args.greaterIsBetter, 'boolean')
  const { resumeFromCheckpoint } = args
  if (resumeFromCheckpoint !== null && typeof resumeFromCheckpoint !== 'boolean') {
    checkText('resumeFromCheckpoint', resumeFromCheckpoint, 'true or the path of a checkpoint')
  }
  if (args.bf16 && args.fp16) throw conflict('bf16 and fp16 exclude each other')
  const { loadBestModelAtEnd, saveStrategy, evalStrategy, saveSteps, evalSteps } = args
  if (saveStrategy === 'best' && !loadBestModelAtEnd && args.metricForBestModel === null) {
    throw conflict("saveStrategy 'best' needs metricForBestModel (or loadBestModelAtEnd, for the loss)")
  }
  if (saveStrategy === 'best' && evalStrategy === 'no') throw conflict("saveStrategy 'best' needs an evalStrategy")
  if (!loadBestModelAtEnd || saveStrategy === 'best') return
  if (saveStrategy !== evalStrategy || evalStrategy === 'no') {
    throw conflict(
      "loadBestModelAtEnd needs an evalStrategy and the same saveStrategy (or 'best'), but evalStrategy is " +
        `'${evalStrategy}' and saveStrategy '${saveStrategy}'`,
    )
  }
  const multiple = Math.round((saveSteps / evalSteps) * 1e9) / 1e9
  if (evalStrategy === 'steps' && (!Number.isInteger(multiple) || saveSteps < 1 !== evalSteps < 1)) {
    throw conflict(`loadBestModelAtEnd needs saveSteps (${saveSteps}) to be a multiple of evalSteps (${evalSteps})`)
  }
}

function conflict(message: string): SentenceTorchError {
  return new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
}

function isAmount(value: number): boolean {
  return value >= 0 && Number.isFinite(value)
}

function isSeed(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}

function stepsLike(value: number): boolean {
  return value < 1 || Number.isInteger(value)
}

function checkText(name: string, value: unknown, expected: string): void {
  if (typeof value !== 'string' || value === '') throw invalidArgument(name, expected, value)
}

function checkNumbers(name: string, value: unknown, expected: string, fits: (value: number) => boolean): void {
  if (value === null) return
  if (!isPlainObject(value)) throw invalidArgument(name, 'an object of numbers', value)
  for (const [key, entry] of Object.entries(value)) {
    if (typeof entry !== 'number' || !fits(entry)) throw invalidArgument(`${name}.${key}`, expected, entry)
  }
}

type NumberName = {
  [K in keyof TrainingArguments]: Extract<TrainingArguments[K], number> extends never ? never : K
}[keyof TrainingArguments]

function check(args: TrainingArguments, name: NumberName, expected: string, fits: (value: number) => boolean): void {
  const value: unknown = args[name]
  if (typeof value !== 'number' || !fits(value)) throw invalidArgument(name, expected, value)
}
