import type { LegacyDataLoader } from '../../data/legacy/training-data.js'
import { invalidArgument, SentenceTorchError } from '../../errors.js'
import type { Evaluator } from '../../evaluation/evaluator.js'
import type { Loss } from '../../losses/loss.js'
import { SentenceTransformer } from '../../models/sentence-transformer.js'
import { checkInteger, checkOneOf, checkOptions, checkType } from '../../options.js'
import type { PartialTrainingArguments } from '../arguments/arguments.js'
import type { SchedulerType } from '../arguments/schedule.js'
import type { TrainerCallback } from '../callbacks/callbacks.js'
import type { LossTensors } from '../checkpoint/loss-tensors.js'
import { listCheckpoints } from '../checkpoint/rotation.js'
import type { ProgressOutput } from '../reporting/progress.js'
import type { TrainResult } from '../run/result.js'
import { SentenceTransformerTrainer } from '../sentence-transformer-trainer.js'
import { afterEpochs, keepingBest, SCHEDULERS } from './fit-evaluation.js'

/** In lower case, as the old `fit` compares them. */
const LOWER_SCHEDULERS: Readonly<Record<string, SchedulerType>> = Object.fromEntries(
  Object.entries(SCHEDULERS).map(([name, type]) => [name.toLowerCase(), type]),
)

const OPTIMIZERS = { AdamW: 'adamw_torch', SGD: 'sgd', RMSprop: 'rmsprop' } as const

export interface FitOptions {
  /** Data and loss of every objective. Batches of the objectives alternate. All have the batch size of the last loader. */
  trainObjectives: readonly (readonly [LegacyDataLoader, Loss])[]
  /** Runs after every epoch, and every `evaluationSteps`. */
  evaluator?: Evaluator
  /** Passes over the data. A pass has as many batches of each objective as the smallest objective has. Default 1. */
  epochs?: number
  /** Most steps of a single epoch; 0: all. */
  stepsPerEpoch?: number
  /** `WarmupLinear` (default), `ConstantLR`, `WarmupConstant`, `WarmupCosine` or `WarmupCosineWithHardRestarts`. */
  scheduler?: string
  /** Default 10,000, as in Python: more than a short run has. */
  warmupSteps?: number
  /** Default `AdamW`. */
  optimizerClass?: keyof typeof OPTIMIZERS
  /** Default `{ lr: 2e-5 }`; `betas` and `eps` of AdamW, `alpha` and `eps` of RMSprop. */
  optimizerParams?: { lr?: number; eps?: number; betas?: readonly [number, number]; alpha?: number }
  /** Never on biases and norms. Default 0.01. */
  weightDecay?: number
  /** Steps between evaluations; 0: evaluate only after each epoch. Default 0. */
  evaluationSteps?: number
  /** Where the model is saved. The evaluator's CSV files go to its folder `eval`. */
  outputPath?: string
  /** With an evaluator: save the model in `outputPath` when it is better than before. Default true. */
  saveBestModel?: boolean
  /** Default 1. */
  maxGradNorm?: number
  /** Mixed precision: bfloat16 here. Default false. */
  useAmp?: boolean
  /** Called after each evaluation with its primary metric, the epoch and the step. */
  callback?: (score: number, epoch: number, steps: number) => void | Promise<void>
  /** Default true: on `process.stdout`. */
  showProgressBar?: boolean
  /** Folder for checkpoints; none are written without it. */
  checkpointPath?: string
  /** Default 500. */
  checkpointSaveSteps?: number
  /** How many checkpoints are kept; 0: all. Default 0. */
  checkpointSaveTotalLimit?: number
  /** Go on from the newest checkpoint in `checkpointPath`, if there is any. Default false. */
  resumeFromCheckpoint?: boolean
  /** Seed of the order of the rows and of dropout. Default 42. */
  seed?: number
  /** Where progress is shown instead. */
  progress?: ProgressOutput | false
}

const OPTIONS = [
  ...['trainObjectives', 'evaluator', 'epochs', 'stepsPerEpoch', 'scheduler', 'warmupSteps', 'optimizerClass'],
  ...['optimizerParams', 'weightDecay', 'evaluationSteps', 'outputPath', 'saveBestModel', 'maxGradNorm', 'useAmp'],
  ...['callback', 'showProgressBar', 'checkpointPath', 'checkpointSaveSteps', 'checkpointSaveTotalLimit'],
  ...['resumeFromCheckpoint', 'seed', 'progress'],
]

/**
 * Trains as `SentenceTransformer.fit` of sentence-transformers before version 3 did, with its defaults. It is a thin layer over
 * {@link SentenceTransformerTrainer}, which can do more. Also `model.fit(options)`.
 *
 * As in Python the parameters that losses own are trained, and the schedule counts the steps of all objectives. There it ends
 * early where the last batch of an epoch is not full.
 *
 * Source: sentence-transformers `sentence_transformer/fit_mixin`.
 * @deprecated Use {@link SentenceTransformerTrainer}.
 * @throws as SentenceTransformerTrainer
 */
export async function fitSentenceTransformer(model: SentenceTransformer, options: FitOptions): Promise<TrainResult> {
  check(options)
  const { evaluator, evaluationSteps = 0, outputPath, callback, checkpointPath, showProgressBar = true } = options
  const objectives = options.trainObjectives.map(([loader, loss]) => ({ ...loader.toTrainingData(), loss }))
  const name = (i: number) => `_dataset_${i + 1}`
  const byName = <T>(values: readonly T[]) => Object.fromEntries(values.map((value, i) => [name(i), value]))
  const bySteps = evaluator !== undefined && evaluationSteps > 0
  const { greaterIsBetter } = (evaluator ?? {}) as { greaterIsBetter?: boolean }
  const evaluate = evaluator && keepingBest<SentenceTransformer>(model, evaluator, { ...options }, greaterIsBetter)
  const savingAtEnd: TrainerCallback = {
    onTrainEnd: async () => {
      if (evaluator === undefined && outputPath !== undefined) await model.save(outputPath)
    },
  }
  const trainer = new SentenceTransformerTrainer({
    model,
    trainDataset: byName(objectives.map(({ data }) => data)),
    loss: byName(objectives.map(({ loss }) => loss)),
    ...(bySteps && { evaluator: { evaluate: (_, context) => evaluate!(context ?? {}) } }),
    callbacks: [afterEpochs(evaluate, outputPath), savingAtEnd],
    ...(options.progress !== undefined ? { progress: options.progress } : !showProgressBar && { progress: false }),
    args: {
      ...argumentsOf(options, bySteps),
      batchSampler: byName(objectives.map(({ batchSampler }) => batchSampler)),
      perDeviceTrainBatchSize: objectives.at(-1)!.batchSize,
      perDeviceEvalBatchSize: objectives.at(-1)!.batchSize,
    },
  })
  if (callback === undefined && evaluator === undefined && evaluationSteps > 0) {
    warn('fit: evaluationSteps does nothing without an evaluator')
  }
  const resume = options.resumeFromCheckpoint === true && checkpointPath !== undefined
  const found = resume && (await listCheckpoints(checkpointPath)).length > 0
  if (resume && !found) warn(`fit: there is no checkpoint in ${checkpointPath} to go on from; training begins anew`)
  const result = await trainer.train({ resumeFromCheckpoint: found })
  return objectives.length > 1 ? result : { ...result, lossTensors: withoutPrefix(result.lossTensors, `${name(0)}.`) }
}

/** With one objective, the tensors have the loss's own names. */
function withoutPrefix(tensors: LossTensors, prefix: string): LossTensors {
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name.slice(prefix.length), tensor]))
}

function argumentsOf(options: FitOptions, bySteps: boolean): PartialTrainingArguments {
  const { epochs = 1, stepsPerEpoch = 0, scheduler = 'WarmupLinear', checkpointPath, seed } = options
  const { lr = 2e-5, eps, betas, alpha } = options.optimizerParams ?? {}
  const { optimizerClass = 'AdamW' } = options
  const isAdam = optimizerClass === 'AdamW'
  if (stepsPerEpoch > 0 && epochs !== 1) {
    warn('fit: stepsPerEpoch does nothing with several epochs, as in sentence-transformers; all data are used')
  }
  return {
    outputDir: checkpointPath ?? options.outputPath ?? 'checkpoints/model',
    multiDatasetBatchSampler: 'round_robin',
    numTrainEpochs: epochs,
    maxSteps: stepsPerEpoch > 0 && epochs === 1 ? stepsPerEpoch : -1,
    lrSchedulerType: LOWER_SCHEDULERS[scheduler.toLowerCase()]!,
    warmupSteps: options.warmupSteps ?? 10_000,
    optim: OPTIMIZERS[optimizerClass],
    learningRate: lr,
    ...(isAdam && eps !== undefined && { adamEpsilon: eps }),
    ...(betas !== undefined && { adamBeta1: betas[0], adamBeta2: betas[1] }),
    ...(optimizerClass === 'RMSprop' && {
      optimArgs: { ...(alpha !== undefined && { alpha }), ...(eps !== undefined && { eps }) },
    }),
    weightDecay: options.weightDecay ?? 0.01,
    maxGradNorm: options.maxGradNorm ?? 1,
    bf16: options.useAmp ?? false,
    evalStrategy: bySteps ? 'steps' : 'no',
    ...(bySteps && { evalSteps: options.evaluationSteps! }),
    saveStrategy: checkpointPath === undefined ? 'no' : 'steps',
    saveSteps: options.checkpointSaveSteps ?? 500,
    saveTotalLimit: options.checkpointSaveTotalLimit ?? 0,
    ...(seed !== undefined && { seed }),
  }
}

function check(options: FitOptions): void {
  checkOptions('fit', options, OPTIONS)
  const { trainObjectives, optimizerClass = 'AdamW', optimizerParams = {} } = options
  if (!Array.isArray(trainObjectives) || trainObjectives.length === 0) {
    throw invalidArgument('trainObjectives', 'an array of [data loader, loss]', trainObjectives)
  }
  for (const [i, objective] of trainObjectives.entries()) {
    const [loader, loss] = Array.isArray(objective) ? objective : []
    if (typeof loader?.toTrainingData !== 'function' || typeof loss?.spec !== 'function') {
      throw invalidArgument(`trainObjectives[${i}]`, '[new DataLoader(…), a loss]', objective)
    }
  }
  checkType('scheduler', options.scheduler, 'string')
  const scheduler = options.scheduler?.toLowerCase()
  if (scheduler !== undefined && !Object.hasOwn(LOWER_SCHEDULERS, scheduler)) {
    throw invalidArgument('scheduler', `one of ${Object.keys(LOWER_SCHEDULERS).join(', ')}`, options.scheduler)
  }
  checkOneOf('optimizerClass', optimizerClass, Object.keys(OPTIMIZERS))
  const known = { AdamW: ['lr', 'eps', 'betas'], SGD: ['lr'], RMSprop: ['lr', 'eps', 'alpha'] }[optimizerClass]
  checkOptions('optimizerParams', optimizerParams, known)
  for (const name of ['evaluationSteps', 'stepsPerEpoch', 'checkpointSaveTotalLimit'] as const) {
    checkInteger(name, options[name], 0)
  }
  for (const name of ['saveBestModel', 'useAmp', 'showProgressBar', 'resumeFromCheckpoint'] as const) {
    checkType(name, options[name], 'boolean')
  }
  for (const name of ['outputPath', 'checkpointPath'] as const) checkType(name, options[name], 'string')
  checkType('callback', options.callback, 'function')
  if (options.resumeFromCheckpoint && options.checkpointPath === undefined) {
    throw new SentenceTorchError('ERR_INVALID_ARGUMENT', 'fit: resumeFromCheckpoint needs checkpointPath')
  }
}

function warn(message: string): void {
  process.emitWarning(message, 'SentenceTorchWarning')
}

declare module '../../models/sentence-transformer.js' {
  interface SentenceTransformer {
    /**
     * Trains as before sentence-transformers 3: see {@link fitSentenceTransformer}.
     * @deprecated Use {@link SentenceTransformerTrainer}.
     */
    fit(options: FitOptions): Promise<TrainResult>
  }
}

// Added here, because lib/models may not import lib/training.
Object.defineProperty(SentenceTransformer.prototype, 'fit', {
  configurable: true,
  writable: true,
  value(this: SentenceTransformer, options: FitOptions): Promise<TrainResult> {
    return fitSentenceTransformer(this, options)
  },
})
