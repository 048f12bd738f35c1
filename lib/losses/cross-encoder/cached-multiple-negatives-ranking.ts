import { integer, type OptionTable, optionValues } from '../../options/kinds.js'
import { joinArguments, splitArguments } from '../arguments.js'
import type { Caching } from '../loss.js'
import { PAIR_SIGNATURE, type PairLossArguments, type PairModel } from './loss.js'
import {
  MultipleNegativesRankingLoss,
  type MultipleNegativesRankingLossOptions,
  OPTIONS as PLAIN,
} from './multiple-negatives-ranking.js'

export interface CachedMultipleNegativesRankingLossOptions extends MultipleNegativesRankingLossOptions {
  /** Pairs that pass the model at once. They bound the memory. Default 32. */
  miniBatchSize?: number
}

export const OPTIONS = {
  ...PLAIN,
  miniBatchSize: integer(32, { least: 1 }),
} satisfies OptionTable<CachedMultipleNegativesRankingLossOptions>

export const NOT_BUILT = { showProgressBar: { harmless: [false] } }

/**
 * {@link MultipleNegativesRankingLoss} with gradient caching: the model sees `miniBatchSize` pairs at a time, so that many
 * negatives fit into memory. Value and gradients are those of the plain loss up to rounding. A step scores every pair twice.
 *
 * - **Data**: (query, positive), or (query, positive, negative_1, … negative_n); no labels.
 * - **Formula**: That of {@link MultipleNegativesRankingLoss}.
 *
 * Paper: Gao et al. 2021, https://arxiv.org/abs/2101.06983. Source: sentence-transformers
 * `cross_encoder/losses/CachedMultipleNegativesRankingLoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([
 *   { query: 'capital of France', positive: 'Paris is the capital.' },
 *   { query: 'largest planet', positive: 'Jupiter is the largest.' },
 * ])
 * const loss = new crossEncoderLosses.CachedMultipleNegativesRankingLoss({ numNegatives: 32, miniBatchSize: 64 })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_NOT_IMPLEMENTED (`showProgressBar`)
 */
export class CachedMultipleNegativesRankingLoss extends MultipleNegativesRankingLoss {
  override readonly type = 'CrossEncoder.CachedMultipleNegativesRankingLoss'
  readonly caching: Caching

  constructor(...args: PairLossArguments<CachedMultipleNegativesRankingLossOptions>) {
    const where = `${PAIR_SIGNATURE.prefix}${new.target.name}`
    const { model, options } = splitArguments(where, args, PAIR_SIGNATURE)
    const { miniBatchSize, ...plain } = optionValues(where, options, OPTIONS, NOT_BUILT)
    super(...joinArguments<typeof plain, PairModel>(model, plain))
    this.caching = { miniBatchSize }
  }
}
