import type { Dataset } from '../../data/dataset.js'
import type { LegacyDataLoader, TrainingData } from '../../data/legacy/training-data.js'
import { invalidArgument } from '../../errors.js'
import type { CrossEncoderLoss } from '../../losses/cross-encoder/loss.js'
import { CrossEncoder } from '../../models/cross-encoder.js'
import { checkInteger, checkOneOf, checkOptions, checkType } from '../../options.js'
import { CrossEncoderTrainer } from '../cross-encoder-trainer.js'
import type { ProgressOutput } from '../reporting/progress.js'
import type { EvaluatorOf } from '../run/evaluator-choice.js'
import type { TrainResult } from '../run/result.js'
import { afterEpochs, keepingBest, SCHEDULERS } from './fit-evaluation.js'

export interface CrossEncoderFitOptions {
  /** Batches of pairs with labels, or whatever `loss` takes: `new DataLoader(examples, { shuffle: true, batchSize: 16 })`. */
  trainDataloader?: LegacyDataLoader
  /** Instead of `trainDataloader`: the rows. They come in another order in every epoch. */
  trainDataset?: Dataset
  /** Rows per batch of `trainDataset`. Default 8. */
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
  /** Steps between evaluations; 0: evaluate only after each epoch. Default 0. */
  evaluationSteps?: number
  /** Where the best model is saved. The evaluator's CSV files go to its folder `eval`. */
  outputPath?: string
  /** Save the model in `outputPath` after each evaluation that is better than all before it. Default true. */
  saveBestModel?: boolean
  /** Default 1. */
  maxGradNorm?: number
  /** Mixed precision: bfloat16 here. Default false. */
  useAmp?: boolean
  /** Called after each evaluation with its primary metric, the epoch and the step. */
  callback?: (score: number, epoch: number, steps: number) => void | Promise<void>
  /** Default true: on `process.stdout`. */
  showProgressBar?: boolean
  /** Seed of the order of the rows and of dropout. Default 42. */
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
 * Trains as `CrossEncoder.fit` of older sentence-transformers did, with its defaults. It is a thin layer over
 * {@link CrossEncoderTrainer}, which can do more.
 *
 * Source: sentence-transformers `cross_encoder/fit_mixin`. There the schedule ends one step early if the last batch of an epoch
 * is not full.
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
  const trainer = new CrossEncoderTrainer({
    model,
    trainDataset: data,
    ...(loss && { loss }),
    ...(bySteps && { evaluator: { evaluate: (_, context) => evaluate!(context ?? {}) } }),
    ...(progress !== undefined && { progress }),
    callbacks: [afterEpochs(evaluate, outputPath)],
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

declare module '../../models/cross-encoder.js' {
  interface CrossEncoder {
    /**
     * Trains as before sentence-transformers 4: see {@link fitCrossEncoder}.
     * @deprecated Use {@link CrossEncoderTrainer}.
     */
    fit(options: CrossEncoderFitOptions): Promise<TrainResult>
  }
}

// Added here, because lib/models may not import lib/training.
Object.defineProperty(CrossEncoder.prototype, 'fit', {
  configurable: true,
  writable: true,
  value(this: CrossEncoder, options: CrossEncoderFitOptions): Promise<TrainResult> {
    return fitCrossEncoder(this, options)
  },
})
