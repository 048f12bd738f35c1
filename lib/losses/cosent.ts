import type { LossSpec } from '../native/types.js'
import { checkPositive } from '../options.js'
import { type LossArguments, lossOptions } from './arguments.js'
import type { Loss, LossRequirements } from './loss.js'
import { checkPairwiseSimilarity, nativeSimilarity, type PairwiseSimilarity } from './similarities.js'

export interface CoSENTLossOptions {
  /** Factor of the similarity (1 / temperature). Default 20. */
  scale?: number
  /** Similarity of a pair. Default `pairwise_cos_sim`. */
  similarityFct?: PairwiseSimilarity
}

/**
 * Pairs with a higher label shall be more similar than pairs with a lower one: only the order of the labels counts, and
 * every pair of pairs in the batch is compared. The trainer's default loss; usually better than
 * {@link CosineSimilarityLoss} on the same data.
 *
 * - **Data**: (text_a, text_b) and a float label of any range (never rescaled).
 * - **Formula**: log(1 + Σ exp(scale · (s_i − s_j)) over all i, j with y_i < y_j), s = similarity of a pair.
 * - **Batches**: larger ones compare more pairs of pairs.
 * - **Relations**: {@link AnglELoss} is this one with the similarity `pairwise_angle_sim`.
 *
 * Source: Su Jianlin 2022, https://kexue.fm/archives/8847; sentence-transformers `losses/CoSENTLoss`.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class CoSENTLoss implements Loss {
  readonly type = 'CoSENTLoss'
  readonly requirements: LossRequirements = { minColumns: 2, maxColumns: 2, labels: 'float' }
  readonly scale: number
  readonly similarityFct: PairwiseSimilarity

  constructor(...args: LossArguments<CoSENTLossOptions>) {
    const options = lossOptions<CoSENTLossOptions>(this, args, ['scale', 'similarityFct'])
    checkPositive(`${this.type} scale`, options.scale)
    checkPairwiseSimilarity(this.type, options.similarityFct)
    this.scale = options.scale ?? 20
    this.similarityFct = options.similarityFct ?? 'pairwise_cos_sim'
  }

  spec(): LossSpec {
    return { type: this.type, scale: this.scale, similarity: nativeSimilarity(this.similarityFct) }
  }
}
