import type { LossSpec } from '../native/types.js'
import { choice, type OptionTable, positive } from '../options/kinds.js'
import { type LossArguments, lossOptions } from './arguments.js'
import type { Loss, LossRequirements } from './loss.js'
import { nativeSimilarity, PAIRWISE_SIMILARITIES, type PairwiseSimilarity } from './similarities.js'

export interface CoSENTLossOptions {
  /** Factor of the similarity (1 / temperature). Default 20. */
  scale?: number
  /** Similarity of a pair. Default `pairwise_cos_sim`. */
  similarityFct?: PairwiseSimilarity
}

export const OPTIONS = {
  scale: positive(20),
  similarityFct: choice(PAIRWISE_SIMILARITIES, 'pairwise_cos_sim'),
} satisfies OptionTable<CoSENTLossOptions>

/**
 * Pairs with a higher label become more similar than pairs with a lower one. Only the order of the labels counts. This is the
 * trainer's default loss.
 *
 * - **Data**: (text_a, text_b) and a number of any range. Labels are never rescaled.
 * - **Formula**: log(1 + Σ exp(scale · (s_i − s_j)) over all i, j with y_i < y_j), s: similarity of a pair.
 * - **Batches**: A larger batch compares more pairs with each other.
 * - **Relations**: It is usually better than {@link CosineSimilarityLoss} on the same data. {@link AnglELoss} is this loss with
 *   the similarity `pairwise_angle_sim`.
 *
 * Paper: Su 2022, https://kexue.fm/archives/8847. Source: sentence-transformers `losses/CoSENTLoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([
 *   { text_a: 'A cat sits outside.', text_b: 'A cat is outside.', label: 0.9 },
 *   { text_a: 'A cat sits outside.', text_b: 'A man plays guitar.', label: 0.1 },
 * ])
 * const loss = new losses.CoSENTLoss({ scale: 10 })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class CoSENTLoss implements Loss {
  readonly type: string = 'CoSENTLoss'
  readonly requirements: LossRequirements = { minColumns: 2, maxColumns: 2, labels: 'float' }
  readonly scale: number
  readonly similarityFct: PairwiseSimilarity

  constructor(...args: LossArguments<CoSENTLossOptions>) {
    const options = lossOptions(this, args, OPTIONS)
    this.scale = options.scale
    this.similarityFct = options.similarityFct
  }

  spec(): LossSpec {
    return { type: 'CoSENTLoss', scale: this.scale, similarity: nativeSimilarity(this.similarityFct) }
  }
}
