/** The losses of cross-encoders, one class each; docs/cross-encoder.md says which to take. */
export { ADRMSELoss, type ADRMSELossOptions } from './adr-mse.js'
export { BinaryCrossEntropyLoss, type BinaryCrossEntropyLossOptions } from './binary-cross-entropy.js'
export {
  CachedMultipleNegativesRankingLoss,
  type CachedMultipleNegativesRankingLossOptions,
} from './cached-multiple-negatives-ranking.js'
export { CrossEntropyLoss, type CrossEntropyLossOptions } from './cross-entropy.js'
export { LambdaLoss, type LambdaLossOptions, type PairwiseRankingOptions, type WeightingScheme } from './lambda.js'
export { ListMLELoss, type ListMLELossOptions } from './list-mle.js'
export { ListNetLoss, type ListNetLossOptions } from './list-net.js'
export type { ListwiseOptions } from './listwise.js'
export type {
  CrossEncoderLoss,
  LogitActivation,
  LogitOptions,
  Pairing,
  PairLossArguments,
  PairModel,
} from './loss.js'
export { MarginMSELoss, type MarginMSELossOptions } from './margin-mse.js'
export { MSELoss, type MSELossOptions } from './mse.js'
export {
  MultipleNegativesRankingLoss,
  type MultipleNegativesRankingLossOptions,
} from './multiple-negatives-ranking.js'
export { PListMLELoss, type PListMLELossOptions } from './plist-mle.js'
export { RankNetLoss, type RankNetLossOptions } from './rank-net.js'
