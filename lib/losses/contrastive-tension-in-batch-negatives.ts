import type { LossSpec } from '../native/types.js'
import { choice, type OptionTable, positive } from '../options/kinds.js'
import { type LossArguments, lossOptions } from './arguments.js'
import type { Loss, LossRequirements } from './loss.js'
import { nativeSimilarity, SIMILARITIES } from './similarities.js'

export interface ContrastiveTensionLossInBatchNegativesOptions {
  /** Initial factor of the similarity, which is learned. With dot products 1 is usual. Default 20. */
  scale?: number
  /** Similarity of two embeddings. Default `cos_sim`. */
  similarityFct?: 'cos_sim' | 'dot_score'
}

export const OPTIONS = {
  scale: positive(20),
  similarityFct: choice(SIMILARITIES, 'cos_sim'),
} satisfies OptionTable<ContrastiveTensionLossInBatchNegativesOptions>

/**
 * Every text has to find itself among all texts of the batch, between two encoders that diverge: the model, and a copy of
 * it that is trained too and then discarded. Texts alone are enough.
 *
 * - **Data**: (text); no labels. Both encoders embed it.
 * - **Formula**: (CE(S, i) + CE(Sᵀ, i)) / 2 with S_ij = s(copy(text_i), model(text_j)) · exp(logit_scale).
 * - **Parameters**: `logit_scale`, which starts at log(scale), and the copy, `loss.model1.*`. The copy takes as much memory and
 *   time as a second model.
 * - **Batches**: A larger batch holds more negatives and trains better. The texts of a batch should differ.
 * - **Relations**: It gives a stronger signal than {@link ContrastiveTensionLoss}. {@link MultipleNegativesRankingLoss} with the
 *   same text in both columns (SimCSE) trains one encoder; dropout makes its two embeddings differ.
 *
 * Paper: Carlsson et al. 2021, https://openreview.net/pdf?id=Ov_sMNau-PF. Source: sentence-transformers
 * `losses/ContrastiveTensionLossInBatchNegatives`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([{ text: 'A cat sits outside.' }, { text: 'A man plays guitar.' }])
 * const loss = new losses.ContrastiveTensionLossInBatchNegatives({ scale: 10 })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class ContrastiveTensionLossInBatchNegatives implements Loss {
  readonly type = 'ContrastiveTensionLossInBatchNegatives'
  readonly requirements: LossRequirements = {
    minColumns: 1,
    maxColumns: 1,
    labels: 'none',
    inBatchNegatives: true,
    copies: 2,
  }
  readonly scale: number
  readonly similarityFct: 'cos_sim' | 'dot_score'

  constructor(...args: LossArguments<ContrastiveTensionLossInBatchNegativesOptions>) {
    const options = lossOptions(this, args, OPTIONS)
    this.scale = options.scale
    this.similarityFct = options.similarityFct
  }

  spec(): LossSpec {
    return { type: this.type, scale: this.scale, similarity: nativeSimilarity(this.similarityFct) }
  }
}
