/** Classification of texts. */
export type { ClassificationData, ClassLabel } from '../evaluation/class-labels.js'
export { type ContrastivePairsOptions, contrastivePairs, type PairSampling } from './contrastive-pairs.js'
export type { LogisticHeadOptions } from './logistic-head.js'
export {
  type ClassifierFitOptions,
  type LabelledTextsData,
  type PredictTextsOptions,
  TextClassifier,
  type TextClassifierOptions,
} from './text-classifier.js'
