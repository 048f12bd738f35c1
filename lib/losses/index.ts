/** The losses, one class each; docs/losses.md says which to take. */
export { CoSENTLoss, type CoSENTLossOptions } from './cosent.js'
export { CosineSimilarityLoss, type CosineSimilarityLossOptions } from './cosine-similarity.js'
export type { Loss, LossRequirements } from './loss.js'
export {
  MultipleNegativesRankingLoss,
  type MultipleNegativesRankingLossOptions,
} from './multiple-negatives-ranking.js'
export { SoftmaxLoss, type SoftmaxLossOptions } from './softmax.js'
