import type { Dataset } from '../data/dataset.js'
import type { DataSource } from '../data/feed.js'
import type { EvaluationContext, EvaluationResult } from '../evaluation/evaluator.js'
import type { ComputedLoss } from '../losses/custom.js'
import type { PretrainedSource } from '../losses/loss.js'
import type { LanguageModelWeights } from '../models/language-model.js'
import type { ConfigObject, DType, NativeEncoder, PackedBatch } from '../native/types.js'
import type { PartialTrainingArguments, TrainingArguments } from './arguments.js'
import type { Rows } from './batch-maker.js'
import type { BatchPosition } from './batches.js'
import type { TrainerCallback } from './callbacks.js'
import type { EvaluatorChoice } from './evaluator-choice.js'
import type { ModelFacts } from './health/facts.js'
import type { LossChoice, TrainableLoss } from './loss-set.js'
import type { LossTensors } from './loss-tensors.js'
import type { ProgressOutput } from './progress.js'
import type { Timings } from './reporting/timings.js'

/** What a trainer needs of a model. */
export interface TrainableModel {
  readonly device: string
  readonly dtype: DType
  readonly encoder: NativeEncoder
  /** The transformer's config.json. */
  readonly config: ConfigObject
  save(folder: string): Promise<void>
  /** Writes the files of `save` into an empty folder, of which `target` is the path to be. */
  writeFiles(folder: string, target: string): Promise<void>
  /** Takes the weights of a folder that `save` wrote. */
  loadWeights(folder: string): Promise<void>
}

/** An evaluator of models of one kind. */
export interface EvaluatorOf<M> {
  evaluate(model: M, context?: EvaluationContext): Promise<EvaluationResult>
}

/** Makes the batches of one dataset. */
export interface BatchMaking {
  make(rows: Rows, position: BatchPosition): Promise<PackedBatch>
  /** Ends what is open; no batch is asked for any more. */
  close?(): Promise<void>
}

/** What a kind of model does in its own way; everything else is in BaseTrainer. */
export interface TrainerKind<M extends TrainableModel, L extends BaseLoss> {
  /** `SentenceTransformerTrainer` */
  name: string
  isModel(value: unknown): boolean
  /** `a SentenceTransformer` */
  modelName: string
  defaultLoss(model: M): L
  /** Whether a loss is one for models of this kind, and what such losses are called. */
  isOwnLoss(loss: L): boolean
  lossName: string
  /** Whether columns have prompts and lengths of their own. */
  byColumn: boolean
  /** Refuses arguments that this kind cannot take. @param datasets their names, '' for a single one */
  checkArguments?(args: Readonly<TrainingArguments>, datasets: readonly string[]): void
  /**
   * Checks a dataset (of a stream: the rows of each batch) against its loss.
   * @param which `trainDataset`, or `trainDataset.<name>`
   * @returns a warning
   * @throws ERR_INVALID_DATA
   */
  checkData(dataset: Dataset, loss: L, which: string): string | undefined
  /** Opens the checkpoint that parameters of a loss start from; @param nameOrPath undefined: what `model` was loaded from. */
  pretrained?(model: M, nameOrPath: string | undefined, signal?: AbortSignal): Promise<LanguageModelWeights>
  /** @param dataset name of the dataset, '' for a single one */
  batchMaker(parts: BatchMakerParts<M, L>): BatchMaking
  /** What the checks of a run's health are to know of the model. */
  modelFacts?(model: M, args: Readonly<TrainingArguments>): ModelFacts
}

export interface BatchMakerParts<M, L> {
  model: M
  loss: L
  /** Name of the dataset; '' for a single one. */
  dataset: string
  args: Readonly<TrainingArguments>
  signal?: AbortSignal | undefined
  /** With `logTimings`: is to hear how long tokenising takes. */
  timings?: Timings | undefined
}

export interface BaseLoss extends TrainableLoss {
  readonly requirements?: { readonly labels?: string; readonly inBatchNegatives?: boolean }
  readonly computed?: ComputedLoss
  readonly pretrained?: PretrainedSource
  readonly caching?: { readonly miniBatchSize?: number; readonly miniBatchTokens?: number } | undefined
}

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
