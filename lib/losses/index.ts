/** The losses, one class each; docs/losses.md says which to take. */
export {
  CachedMultipleNegativesRankingLoss,
  type CachedMultipleNegativesRankingLossOptions,
} from './cached-multiple-negatives-ranking.js'
export {
  CachedMultipleNegativesSymmetricRankingLoss,
  type CachedMultipleNegativesSymmetricRankingLossOptions,
} from './cached-multiple-negatives-symmetric-ranking.js'
export type { CachingOptions } from './caching.js'
export { CoSENTLoss, type CoSENTLossOptions } from './cosent.js'
export { CosineSimilarityLoss, type CosineSimilarityLossOptions } from './cosine-similarity.js'
export type { Caching, Loss, LossRequirements } from './loss.js'
export {
  MultipleNegativesRankingLoss,
  type MultipleNegativesRankingLossOptions,
  type RankingDirection,
} from './multiple-negatives-ranking.js'
export {
  MultipleNegativesSymmetricRankingLoss,
  type MultipleNegativesSymmetricRankingLossOptions,
} from './multiple-negatives-symmetric-ranking.js'
export { SoftmaxLoss, type SoftmaxLossOptions } from './softmax.js'
