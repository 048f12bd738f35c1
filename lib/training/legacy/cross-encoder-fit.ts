import { join } from 'node:path'
import type { Dataset } from '../../data/dataset.js'
import type { LegacyDataLoader, TrainingData } from '../../data/legacy/training-data.js'
import { invalidArgument } from '../../errors.js'
import type { EvaluationContext, EvaluationResult } from '../../evaluation/evaluator.js'
import { primaryValue } from '../../evaluation/primary-value.js'
import type { CrossEncoderLoss } from '../../losses/cross-encoder/loss.js'
import { CrossEncoder } from '../../models/cross-encoder.js'
import { checkInteger, checkOneOf, checkOptions, checkType } from '../../options.js'
import type { SchedulerType } from '../arguments/schedule.js'
import type { TrainerCallback } from '../callbacks/callbacks.js'
import { CrossEncoderTrainer } from '../cross-encoder-trainer.js'
import type { ProgressOutput } from '../reporting/progress.js'
import type { EvaluatorOf } from '../run/evaluator-choice.js'
import type { TrainResult } from '../run/result.js'

/** The schedules of the old `fit`, by the trainer's names. */
const SCHEDULERS = {
  ConstantLR: 'constant',
  WarmupConstant: 'constant_with_warmup',
  WarmupLinear: 'linear',
  WarmupCosine: 'cosine',
  WarmupCosineWithHardRestarts: 'cosine_with_restarts',
} as const satisfies Record<string, SchedulerType>

export interface CrossEncoderFitOptions {
  /** Batches of pairs with labels, or whatever `loss` takes: `new DataLoader(examples, { shuffle: true, batchSize: 16 })`. */
  trainDataloader?: LegacyDataLoader
  /** In place of `trainDataloader`: the rows, which come in another order in every epoch. */
  trainDataset?: Dataset
  /** Of `trainDataset`: rows per batch. Default 8. */
  batchSize?: number
  /** Runs after every epoch, and every `evaluationSteps`. */
  evaluator?: EvaluatorOf<CrossEncoder>
  /** Passes over the data. Default 1. */
  epochs?: number
  /** Default: as {@link CrossEncoderTrainer}. */
  loss?: CrossEncoderLoss
  /** Default `WarmupLinear`. */
  scheduler?: keyof typeof SCHEDULERS
  /** Default 10,000, as in Python: more than a short run has. */
  warmupSteps?: number
  /** Peak learning rate of AdamW. Default 2e-5. */
  learningRate?: number
  /** Never on biases and norms. Default 0.01. */
  weightDecay?: number
  /** Steps between evaluations; 0 for none but those after the epochs. Default 0. */
  evaluationSteps?: number
  /** Where the best model is saved, and the evaluator's CSV files below it in `eval`. */
  outputPath?: string
  /** Save the model in `outputPath` after each evaluation that is better than all before. Default true. */
  saveBestModel?: boolean
  /** Default 1. */
  maxGradNorm?: number
  /** Mixed precision: bfloat16 here. Default false. */
  useAmp?: boolean
  /** Called after each evaluation with its primary metric, the epoch and the step. */
  callback?: (score: number, epoch: number, steps: number) => void | Promise<void>
  /** Default true: on `process.stdout`. */
  showProgressBar?: boolean
  /** Of the order of the rows and of dropout. Default 42. */
  seed?: number
  /** Where progress is shown instead. */
  progress?: ProgressOutput | false
}

const OPTIONS = [
  ...['trainDataloader', 'trainDataset', 'batchSize', 'useAmp', 'showProgressBar', 'evaluator', 'epochs'],
  ...['loss', 'scheduler', 'warmupSteps', 'learningRate', 'seed'],
  ...['weightDecay', 'evaluationSteps', 'outputPath', 'saveBestModel', 'maxGradNorm', 'callback', 'progress'],
]
const NOT_BUILT = {
  lossFct: { instead: 'give loss' },
  activationFct: { instead: 'give a loss with activationFn' },
  optimizerClass: { instead: 'use CrossEncoderTrainer with optim' },
  optimizerParams: { instead: 'give learningRate' },
}

/**
 * Trains as `CrossEncoder.fit` of older sentence-transformers did, with its defaults; a thin layer over
 * {@link CrossEncoderTrainer}, which can do more.
 *
 * Source: sentence-transformers `cross_encoder/fit_mixin`. There the schedule ends one step early where the last batch of an
 * epoch is not full.
 * @deprecated Use {@link CrossEncoderTrainer}.
 * @throws as CrossEncoderTrainer
 */
export async function fitCrossEncoder(model: CrossEncoder, options: CrossEncoderFitOptions): Promise<TrainResult> {
  checkOptions('fitCrossEncoder', options, OPTIONS, NOT_BUILT)
  checkOneOf('scheduler', options.scheduler, Object.keys(SCHEDULERS))
  checkInteger('evaluationSteps', options.evaluationSteps, 0)
  checkType('saveBestModel', options.saveBestModel, 'boolean')
  checkType('outputPath', options.outputPath, 'string')
  checkType('callback', options.callback, 'function')
  checkType('useAmp', options.useAmp, 'boolean')
  checkType('showProgressBar', options.showProgressBar, 'boolean')
  const { evaluator, evaluationSteps = 0, outputPath, loss, showProgressBar = true, seed } = options
  const { data, batchSampler, batchSize } = trainingData(options)
  const progress = options.progress ?? (showProgressBar ? undefined : false)
  const bySteps = evaluator && evaluationSteps > 0
  const evaluate = evaluator && keepingBest(model, evaluator, options)
  const atEpochEnd: TrainerCallback = {
    onEpochEnd: async ({ state: { epoch, globalStep: steps } }) => {
      await evaluate?.({ epoch, steps, ...(outputPath !== undefined && { outputPath: join(outputPath, 'eval') }) })
    },
  }
  const trainer = new CrossEncoderTrainer({
    model,
    trainDataset: data,
    ...(loss && { loss }),
    ...(bySteps && { evaluator: { evaluate: (_, context) => evaluate!(context ?? {}) } }),
    ...(progress !== undefined && { progress }),
    callbacks: [atEpochEnd],
    args: {
      outputDir: outputPath ?? 'checkpoints/model',
      perDeviceTrainBatchSize: batchSize,
      batchSampler,
      numTrainEpochs: options.epochs ?? 1,
      lrSchedulerType: SCHEDULERS[options.scheduler ?? 'WarmupLinear'],
      warmupSteps: options.warmupSteps ?? 10_000,
      learningRate: options.learningRate ?? 2e-5,
      weightDecay: options.weightDecay ?? 0.01,
      maxGradNorm: options.maxGradNorm ?? 1,
      bf16: options.useAmp ?? false,
      evalStrategy: bySteps ? 'steps' : 'no',
      ...(bySteps && { evalSteps: evaluationSteps }),
      saveStrategy: 'no',
      ...(seed !== undefined && { seed }),
    },
  })
  return trainer.train()
}

function trainingData({ trainDataloader, trainDataset, batchSize }: CrossEncoderFitOptions): TrainingData {
  if (trainDataloader === undefined) {
    if (trainDataset === undefined) throw invalidArgument('trainDataloader', 'a DataLoader', trainDataloader)
    return { data: trainDataset, batchSampler: 'batch_sampler', batchSize: batchSize ?? 8 }
  }
  if (typeof trainDataloader?.toTrainingData !== 'function') {
    throw invalidArgument('trainDataloader', 'a DataLoader, NoDuplicatesDataLoader or another loader', trainDataloader)
  }
  for (const [name, value] of Object.entries({ trainDataset, batchSize })) {
    if (value !== undefined) throw invalidArgument(name, 'nothing beside trainDataloader, which has its own,', value)
  }
  return trainDataloader.toTrainingData()
}

type Evaluate = (context: EvaluationContext) => Promise<EvaluationResult>

/** The evaluation, after which the model is saved if it is the best so far, and the callback told. */
function keepingBest(
  model: CrossEncoder,
  evaluator: EvaluatorOf<CrossEncoder>,
  { outputPath, saveBestModel = true, callback }: CrossEncoderFitOptions,
): Evaluate {
  let best = Number.NEGATIVE_INFINITY
  return async (context) => {
    const result = await evaluator.evaluate(model, context)
    const score = primaryValue(result)
    if (score > best) {
      best = score
      if (saveBestModel && outputPath !== undefined) await model.save(outputPath)
    }
    await callback?.(score, context.epoch ?? -1, context.steps ?? -1)
    return result
  }
}

declare module '../../models/cross-encoder.js' {
  interface CrossEncoder {
    /**
     * Trains as before sentence-transformers 4: see {@link fitCrossEncoder}.
     * @deprecated Use {@link CrossEncoderTrainer}.
     */
    fit(options: CrossEncoderFitOptions): Promise<TrainResult>
  }
}

// Models know nothing of training: the method comes with it.
Object.defineProperty(CrossEncoder.prototype, 'fit', {
  configurable: true,
  writable: true,
  value(this: CrossEncoder, options: CrossEncoderFitOptions): Promise<TrainResult> {
    return fitCrossEncoder(this, options)
  },
})
