/** What differs between models of embeddings and cross-encoders in a recipe: loading, losses, what measures them, the trainer. */
import type { Dataset } from '../data/dataset.js'
import { invalidArgument } from '../errors.js'
import type { CrossEncoderEvaluator } from '../evaluation/cross-encoder/common.js'
import type { EvaluationContext, EvaluationResult, Evaluator } from '../evaluation/evaluator.js'
import type { CrossEncoderLoss } from '../losses/cross-encoder/loss.js'
import type { Loss } from '../losses/loss.js'
import { CrossEncoder } from '../models/cross-encoder.js'
import type { ModelType } from '../models/model-type.js'
import { SentenceTransformer } from '../models/sentence-transformer.js'
import {
  CrossEncoderTrainer,
  type CrossEncoderTrainerOptions,
  type PartialTrainingArguments,
  SentenceTransformerTrainer,
  type SentenceTransformerTrainerOptions,
  type TrainOptions,
  type TrainResult,
} from '../training/index.js'
import { type EvaluationSpec, loadEvaluator, loadPairEvaluator } from './evaluation-spec.js'
import { evaluatorOfRows } from './held-out.js'
import type { LoadDataOptions } from './load-data.js'
import { isLoss, makeLoss, makePairLoss } from './make-loss.js'
import { eachLoss, type NamedLoss } from './named-data.js'
import { pairEvaluatorOfRows } from './pair-evaluators.js'
import { type LossSuggestion, type RowKind, suggestLoss } from './suggest-loss.js'
import { suggestPairLoss } from './suggest-pair-loss.js'

export type RecipeModel = SentenceTransformer | CrossEncoder

/** An evaluator of either kind of models. */
export interface RecipeEvaluator {
  evaluate(model: never, context?: EvaluationContext): Promise<EvaluationResult>
}

type TrainerOptions = SentenceTransformerTrainerOptions | CrossEncoderTrainerOptions

/** What a trainer gets, of either kind. */
export interface TrainerParts
  extends Omit<SentenceTransformerTrainerOptions, 'model' | 'loss' | 'evaluator' | 'trainDataset' | 'evalDataset'> {
  model: RecipeModel
  trainDataset: Dataset | Record<string, Dataset>
  evalDataset?: Dataset | Record<string, Dataset>
  loss: Losses
  evaluator?: SentenceTransformerTrainerOptions['evaluator'] | RecipeEvaluator
}

export type Losses = Loss | CrossEncoderLoss | Record<string, Loss | CrossEncoderLoss>

export interface LoadParts {
  signal?: AbortSignal | undefined
  /** Of a new classifier. */
  seed?: number
  /** Of a cross-encoder. */
  numLabels?: number | undefined
}

export interface ModelKind {
  readonly type: ModelType
  load(source: string, parts: LoadParts): Promise<RecipeModel>
  suggestLoss(dataset: Dataset, source: string): LossSuggestion
  /** @param loadGuide loads the model of a loss that has a guide */
  makeLosses(choice: NamedLoss, loadGuide: (source: string) => Promise<SentenceTransformer>): Promise<Losses>
  evaluatorOfRows(rows: Dataset, kind: RowKind, name: string, seed: number, all: Dataset): RecipeEvaluator | undefined
  loadEvaluator(spec: EvaluationSpec, options?: LoadDataOptions): Promise<Evaluator | CrossEncoderEvaluator>
  /** The samplers that the losses ask for. */
  batching(loss: Losses): PartialTrainingArguments
  trainer(parts: TrainerParts): { train(options: TrainOptions): Promise<TrainResult> }
}

const embedding: ModelKind = {
  type: 'embedding',
  load: (source, { signal }) => SentenceTransformer.load(source, { signal }),
  suggestLoss,
  makeLosses: (choice, loadGuide) =>
    eachLoss<Loss>(choice, (one, where) => {
      if (!isLoss(one)) return makeLoss(one, where, loadGuide)
      if (isPairLoss(one)) throw invalidArgument(where, 'one of `losses`, as modelType is embedding', one)
      return one
    }),
  evaluatorOfRows,
  loadEvaluator,
  batching: (loss) =>
    samplers(loss, (one) => {
      if (one.type.startsWith('Batch')) return 'group_by_label'
      return one.requirements.inBatchNegatives ? 'no_duplicates' : 'batch_sampler'
    }),
  trainer: (parts) => new SentenceTransformerTrainer(parts as TrainerOptions as SentenceTransformerTrainerOptions),
}

const crossEncoder: ModelKind = {
  type: 'cross-encoder',
  load: (source, { signal, seed, numLabels }) =>
    CrossEncoder.load(source, {
      ...(signal && { signal }),
      ...(seed !== undefined && { seed }),
      ...(numLabels !== undefined && { numLabels }),
    }),
  suggestLoss: suggestPairLoss,
  makeLosses: (choice) =>
    eachLoss<CrossEncoderLoss>(choice, (one, where) => {
      if (!isLoss(one)) return makePairLoss(one, where)
      if (isPairLoss(one)) return one
      throw invalidArgument(where, 'one of `crossEncoderLosses`, as modelType is cross-encoder', one)
    }),
  evaluatorOfRows: pairEvaluatorOfRows,
  loadEvaluator: loadPairEvaluator,
  batching: (loss) =>
    samplers(loss, (one) => ((one as CrossEncoderLoss).pairing.kind === 'ranking' ? 'no_duplicates' : 'batch_sampler')),
  trainer: (parts) => new CrossEncoderTrainer(parts as TrainerOptions as CrossEncoderTrainerOptions),
}

/** The sampler of the loss, or of each data set the one of its loss. */
function samplers(loss: Losses, of: (one: Loss | CrossEncoderLoss) => BatchSamplerName): PartialTrainingArguments {
  if (isLoss(loss)) return { batchSampler: of(loss) }
  return { batchSampler: Object.fromEntries(Object.entries(loss).map(([name, one]) => [name, of(one)])) }
}

type BatchSamplerName = 'group_by_label' | 'no_duplicates' | 'batch_sampler'

const isPairLoss = (loss: object): loss is CrossEncoderLoss => 'pairing' in loss && isLoss(loss)

export function modelKind(type: ModelType): ModelKind {
  return type === 'embedding' ? embedding : crossEncoder
}
