/** The losses of multi-vector encoders, one class each. */
export {
  CachedMultiVectorMultipleNegativesRankingLoss,
  type CachedMultiVectorMultipleNegativesRankingLossOptions,
} from './cached-multiple-negatives-ranking.js'
export { MultiVectorDistillKLDivLoss, type MultiVectorDistillKLDivLossOptions } from './distill-kl-div.js'
export type { MultiVectorLoss, ScoreOptions, VectorLossArguments, VectorModel } from './loss.js'
export { MultiVectorMarginMSELoss, type MultiVectorMarginMSELossOptions } from './margin-mse.js'
export {
  MultiVectorMultipleNegativesRankingLoss,
  type MultiVectorMultipleNegativesRankingLossOptions,
} from './multiple-negatives-ranking.js'
