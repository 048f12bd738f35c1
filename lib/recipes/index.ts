/** The recipes: what to do with the data that one has. Each is a function, and a line of the registry. */
import { RECIPE as adaptivePretrainingRecipe } from './adaptive-pretraining.js'
import { RECIPE as augmentedSbertRecipe } from './augmented-sbert.js'
import { RECIPE as contrastiveTensionRecipe } from './contrastive-tension.js'
import { RECIPE as distillationRecipe } from './distillation.js'
import { RECIPE as fewShotRecipe } from './few-shot.js'
import { RECIPE as finetuneRecipe } from './finetune.js'
import { RECIPE as genqRecipe } from './genq.js'
import { RECIPE as gplRecipe } from './gpl.js'
import { RECIPE as matryoshkaRecipe } from './matryoshka.js'
import { RECIPE as mergingRecipe } from './merging.js'
import { RECIPE as multilingualRecipe } from './multilingual.js'
import { RECIPE as multipleNegativesRecipe } from './multiple-negatives.js'
import type { Recipe } from './recipe.js'
import { RECIPE as scoredPairsRecipe } from './scored-pairs.js'
import { RECIPE as simcseRecipe } from './simcse.js'
import { RECIPE as softmaxRecipe } from './softmax.js'
import { RECIPE as staticModelRecipe } from './static-model.js'
import { RECIPE as tsdaeRecipe } from './tsdae.js'

export type { ModelType } from '../models/model-type.js'
export { type AdaptivePretrainingOptions, adaptivePretraining } from './adaptive-pretraining.js'
export { type AugmentedSbertOptions, augmentedSbert } from './augmented-sbert.js'
export { type ContrastiveTensionOptions, contrastiveTension } from './contrastive-tension.js'
export type { DataSpec, DataSpecObject } from './data-spec.js'
export { type DistillationOptions, distillation } from './distillation.js'
export type { EvaluationSpec } from './evaluation-spec.js'
export { type FewShotOptions, fewShot } from './few-shot.js'
export { finetune } from './finetune.js'
export type { FinetuneEvaluator, FinetuneOptions } from './finetune-options.js'
export { type GenqOptions, genq } from './genq.js'
export { type GplOptions, gpl } from './gpl.js'
export type { LossSpec } from './make-loss.js'
export { type MatryoshkaOptions, matryoshka } from './matryoshka.js'
export { type MergingOptions, merging } from './merging.js'
export { type MultilingualOptions, multilingual } from './multilingual.js'
export { type MultipleNegativesOptions, multipleNegatives } from './multiple-negatives.js'
export type { NamedData, NamedLoss, OneLoss } from './named-data.js'
export type { AskedPairsOptions } from './negatives/asked-pairs.js'
export { EndpointJudge } from './negatives/endpoint-judge.js'
export { EndpointWriter } from './negatives/endpoint-writer.js'
export {
  type LabelCounts,
  type ReadLabelSheetOptions,
  readLabelSheet,
  writeLabelSheet,
} from './negatives/label-sheet.js'
export { NLI_LABELS, type NliNegatives, type NliPairsOptions, nliPairs, nliRows } from './nli-rows.js'
export type { EndpointOptions } from './queries/chat.js'
export type { GenerateQueriesRequest, QueryGenerator } from './queries/generator.js'
export type { GeneratorOption, QueryOptions } from './queries/options.js'
export type { DocumentsOption } from './queries/passages.js'
export { type RankingPairs, rankingPairs } from './ranking-pairs.js'
export type {
  DataOption,
  EvaluatorOption,
  Recipe,
  RecipeContext,
  RecipeMetric,
  RecipeOption,
  RecipeOptions,
  RecipeResult,
} from './recipe.js'
export { type PairLabels, type ScoredPairsOptions, scoredPairs } from './scored-pairs.js'
export type { Choices, SearchSpace } from './search/space.js'
export { sentencesOf } from './sentences.js'
export { type SimcseOptions, simcse } from './simcse.js'
export { type SoftmaxOptions, softmax } from './softmax.js'
export { type StaticModelOptions, staticModel } from './static-model.js'
export { type TsdaeOptions, tsdae } from './tsdae.js'

/** All recipes, in the order of docs/recipes. */
export const RECIPES: readonly Recipe[] = [
  finetuneRecipe,
  softmaxRecipe,
  multipleNegativesRecipe,
  scoredPairsRecipe,
  tsdaeRecipe,
  simcseRecipe,
  contrastiveTensionRecipe,
  adaptivePretrainingRecipe,
  augmentedSbertRecipe,
  genqRecipe,
  gplRecipe,
  distillationRecipe,
  multilingualRecipe,
  matryoshkaRecipe,
  fewShotRecipe,
  staticModelRecipe,
  mergingRecipe,
]
