/** The options of `finetune`. */
import type { CrossEncoderEvaluator } from '../evaluation/cross-encoder/common.js'
import { MODEL_TYPES, type ModelType } from '../models/model-type.js'
import { choice, integer, number } from '../options/kinds.js'
import type { MeasuredRole } from './metrics.js'
import { type NamedData, type NamedLoss, namedData, namedLoss } from './named-data.js'
import { COMMON, described, type EvaluatorOption, evaluator, type RecipeOptions, type RecipeTable } from './recipe.js'
import { duration } from './search/duration.js'
import { type SearchSpace, searchSpace } from './search/space.js'

/** What a model is measured with. A cross-encoder has evaluators of its own. */
export type FinetuneEvaluator = EvaluatorOption | CrossEncoderEvaluator

export interface FinetuneOptions extends Omit<RecipeOptions, MeasuredRole> {
  train: NamedData
  /** Rows whose loss is measured during training. */
  eval?: NamedData
  /** Default: the usual one for the columns. */
  loss?: NamedLoss
  /** Share of the training rows that are held out: half measure the model during training, half before and after it. Default 0. */
  holdOut?: number
  /**
   * What is trained: a model of embeddings, or a cross-encoder, which reads two texts together. Default `embedding`; needed where
   * the folder holds a cross-encoder.
   */
  modelType?: ModelType
  /** Scores that a cross-encoder gives to a pair. Default: the classes of the labels for `CrossEntropyLoss`, else the model's. */
  numLabels?: number
  /**
   * The time in which settings are sought: `10m`, `90s`, `1.5h`, or seconds. Losses that fit the columns, learning rates, batch sizes and
   * epochs are compared on `dev` (or rows of `holdOut`), bad ones early; the best model is measured on `test`. Default: no search.
   */
  budget?: string | number
  /** What the search tries in place of its defaults: `{ learningRate: { min: 1e-5, max: 1e-4 }, loss: ['CoSENTLoss'] }`. */
  search?: SearchSpace
  dev?: FinetuneEvaluator
  test?: FinetuneEvaluator
  outside?: FinetuneEvaluator
}

export const FINETUNE_OPTIONS = {
  ...COMMON,
  dev: evaluator<FinetuneEvaluator>(COMMON.dev.doc),
  test: evaluator<FinetuneEvaluator>(COMMON.test.doc),
  outside: evaluator<FinetuneEvaluator>(COMMON.outside.doc),
  train: described({ ...namedData, isNeeded: true }, 'Training rows: one data set, or several by name'),
  eval: described(namedData, 'Rows whose loss is measured during training: one data set, or several by name'),
  loss: described(
    namedLoss,
    'The loss by its name, with its options, or one for each data set by name. Default: the usual one for the columns',
  ),
  holdOut: described(
    number(0, { least: 0, below: 1 }),
    'Share of the training rows that are held out: half measure the model during training, half before and after it',
  ),
  modelType: described(
    choice(MODEL_TYPES, 'embedding', { type: 'ModelType' }),
    'What is trained: a model of embeddings, or a cross-encoder, which reads two texts together and scores them',
  ),
  numLabels: described(
    integer(undefined, { least: 1 }),
    "Scores that a cross-encoder gives to a pair. Default: the classes of the labels for CrossEntropyLoss, else the model's",
  ),
  budget: described(
    duration,
    'The time in which loss, learning rate, batch size and epochs are sought, compared on `dev` (or rows of `holdOut`). Default: no search',
  ),
  search: described(
    searchSpace,
    'What the search tries in place of its defaults: `loss`, and training arguments, each with a list of values or `{ min, max }`',
  ),
} satisfies RecipeTable<FinetuneOptions>
