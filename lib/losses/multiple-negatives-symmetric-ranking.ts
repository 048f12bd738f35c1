import { type OptionTable, optionValues } from '../options/kinds.js'
import { joinArguments, type LossArguments, splitArguments } from './arguments.js'
import {
  MultipleNegativesRankingLoss,
  RANKING_SIMILARITY,
  type RankingSimilarityOptions,
} from './multiple-negatives-ranking.js'

export interface MultipleNegativesSymmetricRankingLossOptions extends RankingSimilarityOptions {}

export const OPTIONS = RANKING_SIMILARITY satisfies OptionTable<MultipleNegativesSymmetricRankingLossOptions>

/** What makes {@link MultipleNegativesRankingLoss} symmetric. */
export const SYMMETRIC = { directions: ['query_to_doc', 'doc_to_query'], partitionMode: 'per_direction' } as const

/**
 * {@link MultipleNegativesRankingLoss} in both directions: the anchor has to find its positive among all documents, and the
 * positive its anchor among all anchors.
 *
 * - **Data**: (anchor, positive); no labels. Further columns are negatives of the first direction.
 * - **Formula**: mean of the two directions, each as in {@link MultipleNegativesRankingLoss}.
 *
 * Paper: Günther et al. 2024, https://arxiv.org/abs/2310.19923. Source: sentence-transformers
 * `losses/MultipleNegativesSymmetricRankingLoss`, deprecated there.
 *
 * @deprecated Use {@link MultipleNegativesRankingLoss} with `directions: ['query_to_doc', 'doc_to_query']` and
 *   `partitionMode: 'per_direction'`, which is the same.
 *
 * @example
 * const trainDataset = Dataset.fromRows([{ anchor: 'capital of France', positive: 'Paris is the capital.' }])
 * const loss = new losses.MultipleNegativesSymmetricRankingLoss({ scale: 50 })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_NOT_IMPLEMENTED (another `similarityFct`)
 */
export class MultipleNegativesSymmetricRankingLoss extends MultipleNegativesRankingLoss {
  override readonly type: string = 'MultipleNegativesSymmetricRankingLoss'

  constructor(...args: LossArguments<MultipleNegativesSymmetricRankingLossOptions>) {
    const { model, options } = splitArguments<MultipleNegativesSymmetricRankingLossOptions>(new.target.name, args)
    const { scale, similarityFct, gatherAcrossDevices } = optionValues(new.target.name, options, OPTIONS)
    super(...joinArguments(model, { scale, similarityFct, gatherAcrossDevices, ...SYMMETRIC }))
  }
}
