// Made by `npm run docs` from the table of arguments. Change lib/training/arguments/table, not this file.
import type { MultiDatasetBatchSamplerChoice } from '../../data/feed.js'
import type { BatchSamplerChoice } from '../../data/samplers/index.js'
import type { LogLevel, ReportTo } from './log-arguments.js'
import type { OptimizerName } from './optimizer.js'
import type { TrainingPrompts } from './prompts.js'
import type { RouterMapping } from './routes.js'
import type { SchedulerKwargs, SchedulerType } from './schedule.js'
import type { IntervalStrategy, SaveStrategy } from './strategies.js'

/**
 * Names, meanings and defaults of the training arguments of sentence-transformers, in camelCase. docs/training.md says
 * more.
 */
export interface TrainingArguments {
  // Length and batches
  /** Folder for checkpoints (`checkpoint-N`) and the CSV files of evaluators (`eval`). Default `tmp_trainer`. */
  outputDir: string
  /** Passes over the data. A fraction ends inside a pass. A positive number. Default 3. */
  numTrainEpochs: number
  /**
   * Optimiser steps. Above 0 it overrides `numTrainEpochs`. A stream of unknown length needs it. A whole number above
   * 0, or -1 for none. Default -1.
   */
  maxSteps: number
  /** Rows per training batch. A whole number of at least 1. Default 8. */
  perDeviceTrainBatchSize: number
  /** Rows per batch of `evalDataset`. A whole number of at least 1. Default 8. */
  perDeviceEvalBatchSize: number
  /**
   * Batches per update. Their losses are averaged. More of them add no in-batch negatives. A whole number of at least
   * 1. Default 1.
   */
  gradientAccumulationSteps: number
  /**
   * Gradient caching for any loss: rows that pass the encoder at once. `auto`: half of the free memory. `null`: the
   * loss decides. Default `null`. Not in sentence-transformers.
   */
  miniBatchSize: number | 'auto' | null
  /**
   * As `miniBatchSize`, in tokens. Give at most one of the two. An integer of at least 1. Default `null`. Not in
   * sentence-transformers.
   */
  miniBatchTokens: number | null
  /** Leave out the last batch of a pass when it is not full. Default `false`. */
  dataloaderDropLast: boolean
  /**
   * Threads that tokenise. 0: the main thread, in slices of a few milliseconds, which is faster for the tokenizer of
   * BERT. A whole number of at least 0. Default 0.
   */
  dataloaderNumWorkers: number
  /**
   * How rows become batches: one sampler for all datasets, or one for each by name. See docs/data.md. Default
   * `batch_sampler`.
   */
  batchSampler: BatchSamplerChoice | Readonly<Record<string, BatchSamplerChoice>>
  /** Which of several datasets each batch comes from. Default `proportional`. */
  multiDatasetBatchSampler: MultiDatasetBatchSamplerChoice
  /**
   * Factors of the losses of datasets, by name. `null`: 1 for all. The log has the losses without the factors. Default
   * `null`. Not in sentence-transformers.
   */
  datasetWeights: Readonly<Record<string, number>> | null
  /** Prefix of the texts: one for all, or one by column, by dataset, or by dataset and column. Default `null`. */
  prompts: TrainingPrompts | null
  /**
   * The task (`query`, `document`, …) of each column, by which a Router chooses its route. A model with a Router needs
   * it. Default `{}`.
   */
  routerMapping: RouterMapping
  /**
   * Limit of tokens in a text; of multi-vector models also by task (`query`, `document`). `null`: the model's. Default
   * `null`. Not in sentence-transformers.
   */
  maxSeqLength: number | Readonly<Record<string, number>> | null
  /**
   * Folder where token ids are kept, so that later epochs and later runs do not tokenise again. `null`: only in
   * memory. Default `null`. Not in sentence-transformers.
   */
  tokenCacheDir: string | null

  // Optimiser and schedule
  /** The optimiser. `adamw_torch_fused` and `adamw_torch` are the same here. Default `adamw_torch_fused`. */
  optim: OptimizerName
  /**
   * More settings of the optimiser: of `rmsprop` `{ alpha: 0.99, eps: 1e-8 }`, or Python's `'alpha=0.99,eps=1e-8'`.
   * Default `null`.
   */
  optimArgs: Readonly<Record<string, number>> | string | null
  /** Peak learning rate. A finite number of at least 0. Default 5e-5. */
  learningRate: number
  /**
   * Learning rates of the parameters whose names a regular expression finds. docs/training.md tells the names. Default
   * `{}`.
   */
  learningRateMapping: Readonly<Record<string, number>>
  /**
   * Parameters that are not trained: a regular expression finds their names, or one of several does. Default `[]`. Not
   * in sentence-transformers.
   */
  freeze: string | RegExp | readonly (string | RegExp)[]
  /** How the learning rate changes over the run. See docs/training.md. Default `linear`. */
  lrSchedulerType: SchedulerType
  /** Settings of the schedule, as `{ numCycles: 2 }`, each where the schedule has it. Default `null`. */
  lrSchedulerKwargs: SchedulerKwargs | null
  /**
   * Steps in which the learning rate rises from 0 to its peak. A share of all steps is rounded up. A whole number of
   * steps, or a share of all steps below 1. Default 0.
   */
  warmupSteps: number
  /** The older name of a share of all steps. It counts where `warmupSteps` is 0. A number from 0 to 1. Default 0. */
  warmupRatio: number
  /**
   * Decoupled for AdamW, else added to the gradient. Biases and norms are never decayed. A finite number of at least
   * 0. Default 0.
   */
  weightDecay: number
  /** Share of the first moment of AdamW that a step keeps. A number from 0 to below 1. Default 0.9. */
  adamBeta1: number
  /** Share of the second moment of AdamW that a step keeps. A number from 0 to below 1. Default 0.999. */
  adamBeta2: number
  /** What AdamW adds to the root of the second moment. A positive number. Default 1e-8. */
  adamEpsilon: number
  /**
   * Largest norm of all gradients together, those of losses included. 0: gradients are not clipped. A finite number of
   * at least 0. Default 1.
   */
  maxGradNorm: number

  // Precision and memory
  /**
   * Compute in bfloat16 while training, from float32 master weights, also in evaluations and in `encode` meanwhile.
   * Default `false`.
   */
  bf16: boolean
  /**
   * On a GPU, compute in float16 while training, from float32 master weights, with a dynamic loss scaler. On the CPU
   * training runs in float32, with a warning. Default `false`.
   */
  fp16: boolean
  /**
   * Keep only the inputs of layers and compute the rest again in the backward pass: less memory, the same results.
   * Default `false`.
   */
  gradientCheckpointing: boolean
  /** The same as `gradientCheckpointing`. Default `false`. */
  activationCheckpointing: boolean
  /**
   * Bytes that the process may have while it trains on the CPU: batches are cut, or training is refused. `null`: no
   * limit. See docs/training.md. A whole number of at least 1. Default `null`. Not in sentence-transformers.
   */
  memoryLimit: number | null

  // Logging
  /** When a log record is made. With `steps`, `loggingSteps` says how often. Default `steps`. */
  loggingStrategy: IntervalStrategy
  /** Steps between log records. A whole number of steps, or a share of all steps below 1. Default 500. */
  loggingSteps: number
  /** Make a record after the first step too. Default `false`. */
  loggingFirstStep: boolean
  /** Print plain lines instead of a progress bar. Default `false`. */
  disableTqdm: boolean
  /**
   * `info`, `debug` and `detail` print what transformers prints at that level. The others print nothing more. Default
   * `passive`.
   */
  logLevel: LogLevel
  /**
   * Where the log is written too: files in `loggingDir`, or a server of MLflow. See docs/reporting.md. Default `none`.
   */
  reportTo: ReportTo | readonly ReportTo[]
  /** Folder of `reportTo`. `null`: `runs/<date>_<host>` in `outputDir`. Default `null`. */
  loggingDir: string | null
  /** Name of the run on MLflow's server. `null`: one of the server's. Default `null`. */
  runName: string | null
  /**
   * MLflow's server for `reportTo: 'mlflow'`. `null`: the variable MLFLOW_TRACKING_URI. Default `null`. Not in
   * sentence-transformers.
   */
  mlflowTrackingUri: string | null
  /** Log where the time goes (`time_…`) and `tokens_per_second`. Default `false`. Not in sentence-transformers. */
  logTimings: boolean

  // Evaluation, checkpoints, best model
  /** When the model is evaluated. With `steps` also after the last step. Default `no`. */
  evalStrategy: IntervalStrategy
  /** Steps between evaluations. A whole number of steps, or a share of all steps below 1. Default `loggingSteps`. */
  evalSteps: number
  /**
   * Steps, or epochs where `evalStrategy` is `epoch`, before the first evaluation. A finite number of at least 0.
   * Default 0.
   */
  evalDelay: number
  /** Evaluate before the first step. Default `false`. */
  evalOnStart: boolean
  /**
   * When a checkpoint is written. With `steps` also after the last step; with `best` after every evaluation that is
   * better than all before. Default `steps`.
   */
  saveStrategy: SaveStrategy
  /** Steps between checkpoints. A whole number of steps, or a share of all steps below 1. Default 500. */
  saveSteps: number
  /**
   * Checkpoints that are kept: the newest, the best, and the newest of the others. `null` and 0: all. An integer of at
   * least 0. Default `null`.
   */
  saveTotalLimit: number | null
  /**
   * Write checkpoints without the state of the optimiser. They are smaller, but training cannot go on from them.
   * Default `false`.
   */
  saveOnlyModel: boolean
  /** At the end, give the model and the losses the weights of the best checkpoint. Default `false`. */
  loadBestModelAtEnd: boolean
  /**
   * The metric that says which checkpoint is best, with or without `eval_`. `null`: `loss` where one is needed.
   * Default `null`.
   */
  metricForBestModel: string | null
  /** Whether a larger metric is better. `null`: false for metrics that end in `loss`. Default `null`. */
  greaterIsBetter: boolean | null
  /**
   * SIGINT and SIGTERM end training after the running step, with a last checkpoint. See docs/training.md. Default
   * `false`. Not in sentence-transformers.
   */
  handleSignals: boolean
  /**
   * A checkpoint to go on from; true: the newest of `outputDir`. `train({ resumeFromCheckpoint })` overrides it.
   * Default `null`.
   */
  resumeFromCheckpoint: boolean | string | null

  // Seeds
  /**
   * Seed of the order of the data, of the dropout, and of what losses draw and start from. A whole number from 0 to
   * 2^53 - 1. Default 42.
   */
  seed: number
  /** Seed of the order of the data alone. `null`: `seed`. A whole number from 0 to 2^53 - 1. Default `null`. */
  dataSeed: number | null
  /**
   * Imitate what sentence-transformers 6.0.1 does otherwise than it documents. See docs/training.md. Default `null`.
   * Not in sentence-transformers.
   */
  compat: 'st-6.0.1' | null

  // Several processes
  /**
   * Seconds after which a process that the others wait for counts as lost. See docs/distributed.md. A positive number
   * of seconds. Default 1800.
   */
  ddpTimeout: number
}

/** {@link TrainingArguments} as they are given: what is absent has its default. */
export interface PartialTrainingArguments {
  // Length and batches
  /** Folder for checkpoints (`checkpoint-N`) and the CSV files of evaluators (`eval`). Default `tmp_trainer`. */
  outputDir?: string
  /** Passes over the data. A fraction ends inside a pass. A positive number. Default 3. */
  numTrainEpochs?: number
  /**
   * Optimiser steps. Above 0 it overrides `numTrainEpochs`. A stream of unknown length needs it. A whole number above
   * 0, or -1 for none. Default -1.
   */
  maxSteps?: number
  /** Rows per training batch. A whole number of at least 1. Default 8. */
  perDeviceTrainBatchSize?: number
  /** Rows per batch of `evalDataset`. A whole number of at least 1. Default 8. */
  perDeviceEvalBatchSize?: number
  /**
   * Batches per update. Their losses are averaged. More of them add no in-batch negatives. A whole number of at least
   * 1. Default 1.
   */
  gradientAccumulationSteps?: number
  /**
   * Gradient caching for any loss: rows that pass the encoder at once. `auto`: half of the free memory. `null`: the
   * loss decides. Default `null`. Not in sentence-transformers.
   */
  miniBatchSize?: number | 'auto' | null
  /**
   * As `miniBatchSize`, in tokens. Give at most one of the two. An integer of at least 1. Default `null`. Not in
   * sentence-transformers.
   */
  miniBatchTokens?: number | null
  /** Leave out the last batch of a pass when it is not full. Default `false`. */
  dataloaderDropLast?: boolean
  /**
   * Threads that tokenise. 0: the main thread, in slices of a few milliseconds, which is faster for the tokenizer of
   * BERT. A whole number of at least 0. Default 0.
   */
  dataloaderNumWorkers?: number
  /**
   * How rows become batches: one sampler for all datasets, or one for each by name. See docs/data.md. Default
   * `batch_sampler`.
   */
  batchSampler?: BatchSamplerChoice | Readonly<Record<string, BatchSamplerChoice>>
  /** Which of several datasets each batch comes from. Default `proportional`. */
  multiDatasetBatchSampler?: MultiDatasetBatchSamplerChoice
  /**
   * Factors of the losses of datasets, by name. `null`: 1 for all. The log has the losses without the factors. Default
   * `null`. Not in sentence-transformers.
   */
  datasetWeights?: Readonly<Record<string, number>> | null
  /** Prefix of the texts: one for all, or one by column, by dataset, or by dataset and column. Default `null`. */
  prompts?: TrainingPrompts | null
  /**
   * The task (`query`, `document`, …) of each column, by which a Router chooses its route. A model with a Router needs
   * it. Default `{}`.
   */
  routerMapping?: RouterMapping
  /**
   * Limit of tokens in a text; of multi-vector models also by task (`query`, `document`). `null`: the model's. Default
   * `null`. Not in sentence-transformers.
   */
  maxSeqLength?: number | Readonly<Record<string, number>> | null
  /**
   * Folder where token ids are kept, so that later epochs and later runs do not tokenise again. `null`: only in
   * memory. Default `null`. Not in sentence-transformers.
   */
  tokenCacheDir?: string | null

  // Optimiser and schedule
  /** The optimiser. `adamw_torch_fused` and `adamw_torch` are the same here. Default `adamw_torch_fused`. */
  optim?: OptimizerName
  /**
   * More settings of the optimiser: of `rmsprop` `{ alpha: 0.99, eps: 1e-8 }`, or Python's `'alpha=0.99,eps=1e-8'`.
   * Default `null`.
   */
  optimArgs?: Readonly<Record<string, number>> | string | null
  /** Peak learning rate. A finite number of at least 0. Default 5e-5. */
  learningRate?: number
  /**
   * Learning rates of the parameters whose names a regular expression finds. docs/training.md tells the names. Default
   * `{}`.
   */
  learningRateMapping?: Readonly<Record<string, number>>
  /**
   * Parameters that are not trained: a regular expression finds their names, or one of several does. Default `[]`. Not
   * in sentence-transformers.
   */
  freeze?: string | RegExp | readonly (string | RegExp)[]
  /** How the learning rate changes over the run. See docs/training.md. Default `linear`. */
  lrSchedulerType?: SchedulerType
  /** Settings of the schedule, as `{ numCycles: 2 }`, each where the schedule has it. Default `null`. */
  lrSchedulerKwargs?: SchedulerKwargs | null
  /**
   * Steps in which the learning rate rises from 0 to its peak. A share of all steps is rounded up. A whole number of
   * steps, or a share of all steps below 1. Default 0.
   */
  warmupSteps?: number
  /** The older name of a share of all steps. It counts where `warmupSteps` is 0. A number from 0 to 1. Default 0. */
  warmupRatio?: number
  /**
   * Decoupled for AdamW, else added to the gradient. Biases and norms are never decayed. A finite number of at least
   * 0. Default 0.
   */
  weightDecay?: number
  /** Share of the first moment of AdamW that a step keeps. A number from 0 to below 1. Default 0.9. */
  adamBeta1?: number
  /** Share of the second moment of AdamW that a step keeps. A number from 0 to below 1. Default 0.999. */
  adamBeta2?: number
  /** What AdamW adds to the root of the second moment. A positive number. Default 1e-8. */
  adamEpsilon?: number
  /**
   * Largest norm of all gradients together, those of losses included. 0: gradients are not clipped. A finite number of
   * at least 0. Default 1.
   */
  maxGradNorm?: number

  // Precision and memory
  /**
   * Compute in bfloat16 while training, from float32 master weights, also in evaluations and in `encode` meanwhile.
   * Default `false`.
   */
  bf16?: boolean
  /**
   * On a GPU, compute in float16 while training, from float32 master weights, with a dynamic loss scaler. On the CPU
   * training runs in float32, with a warning. Default `false`.
   */
  fp16?: boolean
  /**
   * Keep only the inputs of layers and compute the rest again in the backward pass: less memory, the same results.
   * Default `false`.
   */
  gradientCheckpointing?: boolean
  /** The same as `gradientCheckpointing`. Default `false`. */
  activationCheckpointing?: boolean
  /**
   * Bytes that the process may have while it trains on the CPU: batches are cut, or training is refused. `null`: no
   * limit. See docs/training.md. A whole number of at least 1. Default `null`. Not in sentence-transformers.
   */
  memoryLimit?: number | null

  // Logging
  /** When a log record is made. With `steps`, `loggingSteps` says how often. Default `steps`. */
  loggingStrategy?: IntervalStrategy
  /** Steps between log records. A whole number of steps, or a share of all steps below 1. Default 500. */
  loggingSteps?: number
  /** Make a record after the first step too. Default `false`. */
  loggingFirstStep?: boolean
  /** Print plain lines instead of a progress bar. Default `false`. */
  disableTqdm?: boolean
  /**
   * `info`, `debug` and `detail` print what transformers prints at that level. The others print nothing more. Default
   * `passive`.
   */
  logLevel?: LogLevel
  /**
   * Where the log is written too: files in `loggingDir`, or a server of MLflow. See docs/reporting.md. Default `none`.
   */
  reportTo?: ReportTo | readonly ReportTo[]
  /** Folder of `reportTo`. `null`: `runs/<date>_<host>` in `outputDir`. Default `null`. */
  loggingDir?: string | null
  /** Name of the run on MLflow's server. `null`: one of the server's. Default `null`. */
  runName?: string | null
  /**
   * MLflow's server for `reportTo: 'mlflow'`. `null`: the variable MLFLOW_TRACKING_URI. Default `null`. Not in
   * sentence-transformers.
   */
  mlflowTrackingUri?: string | null
  /** Log where the time goes (`time_…`) and `tokens_per_second`. Default `false`. Not in sentence-transformers. */
  logTimings?: boolean

  // Evaluation, checkpoints, best model
  /** When the model is evaluated. With `steps` also after the last step. Default `no`. */
  evalStrategy?: IntervalStrategy
  /** Steps between evaluations. A whole number of steps, or a share of all steps below 1. Default `loggingSteps`. */
  evalSteps?: number
  /**
   * Steps, or epochs where `evalStrategy` is `epoch`, before the first evaluation. A finite number of at least 0.
   * Default 0.
   */
  evalDelay?: number
  /** Evaluate before the first step. Default `false`. */
  evalOnStart?: boolean
  /**
   * When a checkpoint is written. With `steps` also after the last step; with `best` after every evaluation that is
   * better than all before. Default `steps`.
   */
  saveStrategy?: SaveStrategy
  /** Steps between checkpoints. A whole number of steps, or a share of all steps below 1. Default 500. */
  saveSteps?: number
  /**
   * Checkpoints that are kept: the newest, the best, and the newest of the others. `null` and 0: all. An integer of at
   * least 0. Default `null`.
   */
  saveTotalLimit?: number | null
  /**
   * Write checkpoints without the state of the optimiser. They are smaller, but training cannot go on from them.
   * Default `false`.
   */
  saveOnlyModel?: boolean
  /** At the end, give the model and the losses the weights of the best checkpoint. Default `false`. */
  loadBestModelAtEnd?: boolean
  /**
   * The metric that says which checkpoint is best, with or without `eval_`. `null`: `loss` where one is needed.
   * Default `null`.
   */
  metricForBestModel?: string | null
  /** Whether a larger metric is better. `null`: false for metrics that end in `loss`. Default `null`. */
  greaterIsBetter?: boolean | null
  /**
   * SIGINT and SIGTERM end training after the running step, with a last checkpoint. See docs/training.md. Default
   * `false`. Not in sentence-transformers.
   */
  handleSignals?: boolean
  /**
   * A checkpoint to go on from; true: the newest of `outputDir`. `train({ resumeFromCheckpoint })` overrides it.
   * Default `null`.
   */
  resumeFromCheckpoint?: boolean | string | null

  // Seeds
  /**
   * Seed of the order of the data, of the dropout, and of what losses draw and start from. A whole number from 0 to
   * 2^53 - 1. Default 42.
   */
  seed?: number
  /** Seed of the order of the data alone. `null`: `seed`. A whole number from 0 to 2^53 - 1. Default `null`. */
  dataSeed?: number | null
  /**
   * Imitate what sentence-transformers 6.0.1 does otherwise than it documents. See docs/training.md. Default `null`.
   * Not in sentence-transformers.
   */
  compat?: 'st-6.0.1' | null

  // Several processes
  /**
   * Seconds after which a process that the others wait for counts as lost. See docs/distributed.md. A positive number
   * of seconds. Default 1800.
   */
  ddpTimeout?: number
}
