import type { LossSpec } from '../native/types.js'
import { type LossArguments, lossOptions } from './arguments.js'
import type { Loss, LossRequirements } from './loss.js'
import { checkPairwiseSimilarity, nativeSimilarity, type PairwiseSimilarity } from './similarities.js'

export interface MarginMSELossOptions {
  /** Similarity of query and passage. Default `pairwise_dot_score`. */
  similarityFct?: PairwiseSimilarity
}

/**
 * The similarity of a positive shall exceed that of a negative by the margin that a teacher, a cross-encoder, sees: how
 * GPL trains.
 *
 * - **Data**: (query, positive, negative_1, … negative_n) and a float label, the teacher's s(q, p) − s(q, n); with several
 *   negatives an array of n margins, or one of n + 1 scores: of the positive, then of the negatives.
 * - **Formula**: mean of (s(q, p) − s(q, n) − y)² over all rows and negatives.
 * - **Relations**: {@link DistillKLDivLoss} compares distributions instead of margins.
 *
 * Paper: Hofstätter et al. 2020, https://arxiv.org/abs/2010.02666. Source: sentence-transformers `losses/MarginMSELoss`.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class MarginMSELoss implements Loss {
  readonly type = 'MarginMSELoss'
  readonly requirements: LossRequirements = { minColumns: 3, maxColumns: Number.POSITIVE_INFINITY, labels: 'floats' }
  readonly similarityFct: PairwiseSimilarity

  constructor(...args: LossArguments<MarginMSELossOptions>) {
    const options = lossOptions<MarginMSELossOptions>(this, args, ['similarityFct'])
    checkPairwiseSimilarity(this.type, options.similarityFct)
    this.similarityFct = options.similarityFct ?? 'pairwise_dot_score'
  }

  spec(): LossSpec {
    return { type: this.type, similarity: nativeSimilarity(this.similarityFct) }
  }
}
