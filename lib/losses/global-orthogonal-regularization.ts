import { SentenceTorchError } from '../errors.js'
import type { LossSpec } from '../native/types.js'
import { choice, number, type OptionTable, option } from '../options/kinds.js'
import { type LossArguments, lossOptions } from './arguments.js'
import type { Loss, LossRequirements } from './loss.js'
import { nativeSimilarity, PLANNED_SIMILARITIES, SIMILARITIES } from './similarities.js'

export interface GlobalOrthogonalRegularizationLossOptions {
  /** Similarity of two texts of one column. Default `cos_sim`. */
  similarityFct?: 'cos_sim' | 'dot_score'
  /** Weight of the mean's term. 0 or `null` leave it out. Default 1. */
  meanWeight?: number | null
  /** Weight of the second moment's term. 0 or `null` leave it out. Default 1. */
  secondMomentWeight?: number | null
  /** How the terms of the columns are joined. Default `mean`. */
  aggregation?: 'mean' | 'sum'
}

/** A finite number; null is 0. */
const weight = option<number | null>({
  type: 'number | null',
  default: 1,
  expected: number(1).expected,
  fits: (value) => value === null || Number.isFinite(value),
})

export const OPTIONS = {
  similarityFct: choice(SIMILARITIES, 'cos_sim', { notBuilt: PLANNED_SIMILARITIES }),
  meanWeight: weight,
  secondMomentWeight: weight,
  aggregation: choice(['mean', 'sum'], 'mean'),
} satisfies OptionTable<GlobalOrthogonalRegularizationLossOptions>

/**
 * Different texts are spread over the sphere as random points are. It is a regulariser, to be used together with another loss.
 *
 * - **Data**: (text, …); no labels.
 * - **Formula**: for each column, with s over all pairs of different rows, meanWeight · (mean s)² + secondMomentWeight ·
 *   max(mean s² − 1 / width, 0).
 * - **Logged**: both terms, as `gor_mean` and `gor_second_moment`.
 * - **Batches**: A batch needs at least two rows: one row has no pairs, and its loss and gradient are 0. A larger batch estimates the
 *   moments better.
 *
 * Paper: Zhang et al. 2017, https://arxiv.org/abs/1708.06320. Source: sentence-transformers
 * `losses/GlobalOrthogonalRegularizationLoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([{ text: 'A cat sits outside.' }, { text: 'A man plays guitar.' }])
 * const loss = new losses.GlobalOrthogonalRegularizationLoss({ meanWeight: null })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class GlobalOrthogonalRegularizationLoss implements Loss {
  readonly type = 'GlobalOrthogonalRegularizationLoss'
  readonly requirements: LossRequirements = {
    minColumns: 1,
    maxColumns: Number.POSITIVE_INFINITY,
    labels: 'none',
    inBatchNegatives: true,
  }
  readonly similarityFct: 'cos_sim' | 'dot_score'
  readonly meanWeight: number
  readonly secondMomentWeight: number
  readonly aggregation: 'mean' | 'sum'

  constructor(...args: LossArguments<GlobalOrthogonalRegularizationLossOptions>) {
    const options = lossOptions(this, args, OPTIONS)
    this.similarityFct = options.similarityFct
    this.meanWeight = options.meanWeight ?? 0
    this.secondMomentWeight = options.secondMomentWeight ?? 0
    this.aggregation = options.aggregation
    if (this.meanWeight === 0 && this.secondMomentWeight === 0) {
      const message = `${this.type}: at least one of meanWeight and secondMomentWeight must differ from 0`
      throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
    }
  }

  spec(): LossSpec {
    const { type, meanWeight, secondMomentWeight, aggregation } = this
    return { type, similarity: nativeSimilarity(this.similarityFct), meanWeight, secondMomentWeight, aggregation }
  }
}
