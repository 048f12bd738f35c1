/** The losses, one class each; docs/losses.md says which to take. */

export { AdaptiveLayerLoss, type AdaptiveLayerLossOptions } from './adaptive-layer.js'
export { AnglELoss, type AnglELossOptions } from './angle.js'
export type { LossArguments, WrapperArguments } from './arguments.js'
export { BatchAllTripletLoss } from './batch-all-triplet.js'
export { BatchHardSoftMarginTripletLoss } from './batch-hard-soft-margin-triplet.js'
export { BatchHardTripletLoss } from './batch-hard-triplet.js'
export { BatchSemiHardTripletLoss } from './batch-semi-hard-triplet.js'
export type { BatchTripletDistance, BatchTripletLossOptions } from './batch-triplets.js'
export { CachedGISTEmbedLoss, type CachedGISTEmbedLossOptions } from './cached-gist-embed.js'
export {
  CachedMultipleNegativesRankingLoss,
  type CachedMultipleNegativesRankingLossOptions,
} from './cached-multiple-negatives-ranking.js'
export {
  CachedMultipleNegativesSymmetricRankingLoss,
  type CachedMultipleNegativesSymmetricRankingLossOptions,
} from './cached-multiple-negatives-symmetric-ranking.js'
export { CachedSpladeLoss, type CachedSpladeLossOptions } from './cached-splade.js'
export type { CachingOptions } from './caching.js'
export { ContrastiveLoss, type ContrastiveLossOptions, type SiameseDistanceMetric } from './contrastive.js'
export { ContrastiveTensionLoss } from './contrastive-tension.js'
export {
  ContrastiveTensionLossInBatchNegatives,
  type ContrastiveTensionLossInBatchNegativesOptions,
} from './contrastive-tension-in-batch-negatives.js'
export { CoSENTLoss, type CoSENTLossOptions } from './cosent.js'
export { CosineSimilarityLoss, type CosineSimilarityLossOptions } from './cosine-similarity.js'
export { CSRLoss, type CSRLossOptions } from './csr.js'
export {
  type ComputedLoss,
  Custom,
  type CustomLossBatch,
  type CustomLossFunction,
  type CustomLossOptions,
  type CustomLossParameter,
  type CustomLossValue,
} from './custom.js'
export { DenoisingAutoEncoderLoss, type DenoisingAutoEncoderLossOptions } from './denoising-auto-encoder.js'
export { DistillKLDivLoss, type DistillKLDivLossOptions } from './distill-kl-div.js'
export { EmbedDistillLoss, type EmbedDistillLossOptions } from './embed-distill.js'
export { FlopsLoss, type FlopsLossOptions } from './flops.js'
export { GISTEmbedLoss, type GISTEmbedLossOptions } from './gist-embed.js'
export {
  GlobalOrthogonalRegularizationLoss,
  type GlobalOrthogonalRegularizationLossOptions,
} from './global-orthogonal-regularization.js'
export type {
  Caching,
  GuideModel,
  Loss,
  LossRequirements,
  PretrainedFacts,
  PretrainedSource,
} from './loss.js'
export { MarginMSELoss, type MarginMSELossOptions } from './margin-mse.js'
export { MaskedLanguageModelLoss, type MaskedLanguageModelLossOptions } from './masked-language-model.js'
export { MatryoshkaLoss, type MatryoshkaLossOptions } from './matryoshka.js'
export { Matryoshka2dLoss, type Matryoshka2dLossOptions } from './matryoshka-2d.js'
export { MegaBatchMarginLoss, type MegaBatchMarginLossOptions } from './mega-batch-margin.js'
export { MSELoss, type MSELossOptions } from './mse.js'
export {
  MultipleNegativesRankingLoss,
  type MultipleNegativesRankingLossOptions,
  type RankingDirection,
} from './multiple-negatives-ranking.js'
export {
  MultipleNegativesSymmetricRankingLoss,
  type MultipleNegativesSymmetricRankingLossOptions,
} from './multiple-negatives-symmetric-ranking.js'
export { OnlineContrastiveLoss, type OnlineContrastiveLossOptions } from './online-contrastive.js'
export type { PairwiseSimilarity } from './similarities.js'
export { SoftmaxLoss, type SoftmaxLossOptions } from './softmax.js'
export { SparseAnglELoss, type SparseAnglELossOptions } from './sparse-angle.js'
export { SparseCoSENTLoss, type SparseCoSENTLossOptions } from './sparse-cosent.js'
export { SparseCosineSimilarityLoss, type SparseCosineSimilarityLossOptions } from './sparse-cosine-similarity.js'
export { SparseDistillKLDivLoss, type SparseDistillKLDivLossOptions } from './sparse-distill-kl-div.js'
export { SparseMarginMSELoss, type SparseMarginMSELossOptions } from './sparse-margin-mse.js'
export { SparseMSELoss, type SparseMSELossOptions } from './sparse-mse.js'
export {
  SparseMultipleNegativesRankingLoss,
  type SparseMultipleNegativesRankingLossOptions,
} from './sparse-multiple-negatives-ranking.js'
export { SparseTripletLoss, type SparseTripletLossOptions } from './sparse-triplet.js'
export { SpladeLoss, type SpladeLossOptions } from './splade.js'
export { type TripletDistanceMetric, TripletLoss, type TripletLossOptions } from './triplet.js'
