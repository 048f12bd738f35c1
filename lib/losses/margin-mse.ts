import type { LossSpec } from '../native/types.js'
import { choice, type OptionTable } from '../options/kinds.js'
import { type LossArguments, lossOptions } from './arguments.js'
import type { Loss, LossRequirements } from './loss.js'
import { nativeSimilarity, PAIRWISE_SIMILARITIES, type PairwiseSimilarity } from './similarities.js'

export interface MarginMSELossOptions {
  /** Similarity of query and passage. Default `pairwise_dot_score`. */
  similarityFct?: PairwiseSimilarity
}

export const OPTIONS = {
  similarityFct: choice(PAIRWISE_SIMILARITIES, 'pairwise_dot_score'),
} satisfies OptionTable<MarginMSELossOptions>

/**
 * A positive becomes more similar than a negative by the margin that a teacher sees. The teacher is mostly a cross-encoder. GPL
 * trains this way.
 *
 * - **Data**: (query, positive, negative_1, … negative_n) and the teacher's margin s(q, p) − s(q, n). With several negatives it
 *   is an array of n margins, or of n + 1 scores: of the positive, then of the negatives.
 * - **Formula**: mean of (s(q, p) − s(q, n) − y)² over all rows and negatives.
 * - **Relations**: {@link DistillKLDivLoss} compares distributions instead of margins.
 *
 * Paper: Hofstätter et al. 2020, https://arxiv.org/abs/2010.02666. Source: sentence-transformers `losses/MarginMSELoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([
 *   { query: 'capital of France', positive: 'Paris is the capital.', negative: 'Lyon is a city.', label: 4.2 },
 * ])
 * const loss = new losses.MarginMSELoss({ similarityFct: 'pairwise_cos_sim' })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class MarginMSELoss implements Loss {
  readonly type: string = 'MarginMSELoss'
  readonly requirements: LossRequirements = { minColumns: 3, maxColumns: Number.POSITIVE_INFINITY, labels: 'floats' }
  readonly similarityFct: PairwiseSimilarity

  constructor(...args: LossArguments<MarginMSELossOptions>) {
    this.similarityFct = lossOptions(this, args, OPTIONS).similarityFct
  }

  spec(): LossSpec {
    return { type: 'MarginMSELoss', similarity: nativeSimilarity(this.similarityFct) }
  }
}
