import { SentenceTorchError } from '../errors.js'
import type { LossSpec } from '../native/types.js'
import { checkFinite, checkOneOf } from '../options.js'
import { type LossArguments, lossOptions } from './arguments.js'
import type { Loss, LossRequirements } from './loss.js'

export interface GlobalOrthogonalRegularizationLossOptions {
  /** Similarity of two texts of one column. Default `cos_sim`. */
  similarityFct?: 'cos_sim' | 'dot_score'
  /** Weight of the mean's term. Default 1; 0 or null leaves it out. */
  meanWeight?: number | null
  /** Weight of the second moment's term. Default 1; 0 or null leaves it out. */
  secondMomentWeight?: number | null
  /** How the terms of the columns are joined. Default `mean`. */
  aggregation?: 'mean' | 'sum'
}

/**
 * Different texts shall be spread over the sphere as random points are: a regulariser, to be used together with another loss.
 *
 * - **Data**: (text, …); no labels.
 * - **Formula**: for each column, with s over all pairs of different rows, meanWeight · (mean s)² + secondMomentWeight ·
 *   max(mean s² − 1 / width, 0). Both terms are logged, as `gor_mean` and `gor_second_moment`.
 * - **Batches**: at least two rows: one row has no pairs, its loss is not a number and its gradient 0. Larger ones estimate
 *   the moments better.
 *
 * Paper: Zhang et al. 2017, https://arxiv.org/abs/1708.06320. Source: sentence-transformers
 * `losses/GlobalOrthogonalRegularizationLoss`.
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
    const options = lossOptions<GlobalOrthogonalRegularizationLossOptions>(this, args, [
      'similarityFct',
      'meanWeight',
      'secondMomentWeight',
      'aggregation',
    ])
    checkOneOf(
      `${this.type} similarityFct`,
      options.similarityFct,
      ['cos_sim', 'dot_score'],
      ['euclidean_sim', 'manhattan_sim'],
    )
    checkFinite(`${this.type} meanWeight`, options.meanWeight ?? undefined)
    checkFinite(`${this.type} secondMomentWeight`, options.secondMomentWeight ?? undefined)
    checkOneOf(`${this.type} aggregation`, options.aggregation, ['mean', 'sum'])
    this.similarityFct = options.similarityFct ?? 'cos_sim'
    this.meanWeight = options.meanWeight === undefined ? 1 : (options.meanWeight ?? 0)
    this.secondMomentWeight = options.secondMomentWeight === undefined ? 1 : (options.secondMomentWeight ?? 0)
    this.aggregation = options.aggregation ?? 'mean'
    if (this.meanWeight === 0 && this.secondMomentWeight === 0) {
      const message = `${this.type}: at least one of meanWeight and secondMomentWeight must differ from 0`
      throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
    }
  }

  spec(): LossSpec {
    const { type, meanWeight, secondMomentWeight, aggregation } = this
    const similarity = this.similarityFct === 'cos_sim' ? 'cosine' : 'dot'
    return { type, similarity, meanWeight, secondMomentWeight, aggregation }
  }
}
