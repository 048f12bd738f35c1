import { choice, type OptionTable, positive } from '../options/kinds.js'
import { type LossArguments, withDefaults } from './arguments.js'
import {
  MultipleNegativesRankingLoss,
  type MultipleNegativesRankingLossOptions,
  OPTIONS as PLAIN,
} from './multiple-negatives-ranking.js'
import { PLANNED_SIMILARITIES, SIMILARITIES } from './similarities.js'
import { OF_SPARSE } from './wrapped.js'

export interface SparseMultipleNegativesRankingLossOptions extends MultipleNegativesRankingLossOptions {
  /** Factor of the similarity before the softmax (1 / temperature). Default 1. */
  scale?: number
  /** Similarity of anchor and candidate. Default `dot_score`. */
  similarityFct?: 'cos_sim' | 'dot_score'
}

export const OPTIONS = {
  ...PLAIN,
  scale: positive(1),
  similarityFct: choice(SIMILARITIES, 'dot_score', { notBuilt: PLANNED_SIMILARITIES }),
} satisfies OptionTable<SparseMultipleNegativesRankingLossOptions>

/**
 * {@link MultipleNegativesRankingLoss} for sparse embeddings: dot products, without a factor.
 *
 * - **Data**: (anchor, positive), or (anchor, positive, negative_1, … negative_n); no labels.
 * - **Formula**: That of {@link MultipleNegativesRankingLoss} with scale 1 and s(a, c) = a · c.
 * - **Use**: Within {@link SpladeLoss} or {@link CSRLoss}.
 *
 * Source: sentence-transformers `sparse_encoder/losses/SparseMultipleNegativesRankingLoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([{ anchor: 'capital of France', positive: 'Paris is the capital.' }])
 * const loss = new losses.SparseMultipleNegativesRankingLoss({ scale: 2 })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_NOT_IMPLEMENTED (another `similarityFct`)
 */
export class SparseMultipleNegativesRankingLoss extends MultipleNegativesRankingLoss {
  override readonly type = 'SparseMultipleNegativesRankingLoss'
  readonly within = OF_SPARSE

  constructor(...args: LossArguments<SparseMultipleNegativesRankingLossOptions>) {
    super(...withDefaults<MultipleNegativesRankingLossOptions>(new.target.name, args, OPTIONS))
  }
}
