import type { LossSpec } from '../../native/types.js'
import { choice, type OptionTable } from '../../options/kinds.js'
import type { LossRequirements } from '../loss.js'
import {
  type MultiVectorLoss,
  nativeType,
  SCORE_OPTIONS,
  type ScoreOptions,
  scoresOf,
  type VectorLossArguments,
  vectorLossOptions,
} from './loss.js'

const SCORES = ['colbert_scores_pairwise', 'mean_colbert_scores_pairwise', 'xtr_scores_pairwise'] as const

export interface MultiVectorMarginMSELossOptions extends ScoreOptions {
  /** How a query and a document are compared. Default `colbert_scores_pairwise`. */
  similarityFct?: (typeof SCORES)[number]
}

export const OPTIONS = {
  similarityFct: choice(SCORES, 'colbert_scores_pairwise'),
  ...SCORE_OPTIONS,
} satisfies OptionTable<MultiVectorMarginMSELossOptions>

export const NOT_BUILT = { miniBatchSize: { harmless: [null], instead: "the trainer's miniBatchSize caches any loss" } }

/**
 * A positive scores more than a negative by the margin that a teacher sees.
 *
 * - **Data**: (query, positive, negative_1, … negative_n) and the teacher's margin s(q, p) − s(q, n). With several negatives it is an
 *   array of n margins, or of n + 1 scores: of the positive, then of the negatives.
 * - **Formula**: mean of (s(q, p) − s(q, n) − y)² over all rows and negatives.
 *
 * Paper: Hofstätter et al. 2020, https://arxiv.org/abs/2010.02666. Source: sentence-transformers
 * `multi_vector_encoder/losses/MultiVectorMarginMSELoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([
 *   { query: 'capital of France', positive: 'Paris is the capital.', negative: 'Lyon is a city.', label: 4.2 },
 * ])
 * const loss = new multiVectorLosses.MultiVectorMarginMSELoss()
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_NOT_IMPLEMENTED
 */
export class MultiVectorMarginMSELoss implements MultiVectorLoss {
  readonly type = 'MultiVectorMarginMSELoss'
  readonly requirements: LossRequirements = { minColumns: 3, maxColumns: Number.POSITIVE_INFINITY, labels: 'floats' }
  readonly similarityFct: (typeof SCORES)[number]
  readonly #topK: number

  constructor(...args: VectorLossArguments<MultiVectorMarginMSELossOptions>) {
    const options = vectorLossOptions(this, args, OPTIONS, NOT_BUILT)
    this.similarityFct = options.similarityFct
    this.#topK = options.topK
  }

  get readsVectors(): true {
    return true
  }

  spec(): LossSpec {
    return { type: nativeType(this.type), ...scoresOf(this.similarityFct, this.#topK) }
  }
}
