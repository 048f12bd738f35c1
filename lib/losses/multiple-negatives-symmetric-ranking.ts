import { checkOptions } from '../options.js'
import { joinArguments, type LossArguments, splitArguments } from './arguments.js'
import { MultipleNegativesRankingLoss, type MultipleNegativesRankingLossOptions } from './multiple-negatives-ranking.js'

export type MultipleNegativesSymmetricRankingLossOptions = Pick<
  MultipleNegativesRankingLossOptions,
  'scale' | 'similarityFct'
>

/** What makes {@link MultipleNegativesRankingLoss} symmetric. */
export const SYMMETRIC = { directions: ['query_to_doc', 'doc_to_query'], partitionMode: 'per_direction' } as const

/**
 * {@link MultipleNegativesRankingLoss} in both directions: the anchor has to find its positive among all documents, and the
 * positive its anchor among all anchors; the mean of the two.
 *
 * - **Data**: (anchor, positive); no labels. Further columns are negatives of the first direction.
 *
 * Source: sentence-transformers `losses/MultipleNegativesSymmetricRankingLoss`, deprecated there.
 *
 * @deprecated Use {@link MultipleNegativesRankingLoss} with `directions: ['query_to_doc', 'doc_to_query']` and
 *   `partitionMode: 'per_direction'`, which is the same.
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_NOT_IMPLEMENTED (`gatherAcrossDevices`)
 */
export class MultipleNegativesSymmetricRankingLoss extends MultipleNegativesRankingLoss {
  override readonly type: string = 'MultipleNegativesSymmetricRankingLoss'

  constructor(...args: LossArguments<MultipleNegativesSymmetricRankingLossOptions>) {
    const { model, options } = splitArguments<MultipleNegativesSymmetricRankingLossOptions>(new.target.name, args)
    checkOptions(new.target.name, options, ['scale', 'similarityFct'], { gatherAcrossDevices: { harmless: [false] } })
    super(...joinArguments(model, { ...options, ...SYMMETRIC }))
  }
}
