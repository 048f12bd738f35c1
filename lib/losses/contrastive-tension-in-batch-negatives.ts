import type { LossSpec } from '../native/types.js'
import { checkOneOf, checkPositive } from '../options.js'
import { type LossArguments, lossOptions } from './arguments.js'
import type { Loss, LossRequirements } from './loss.js'

export interface ContrastiveTensionLossInBatchNegativesOptions {
  /** Where the factor of the similarity starts; it is learned. Default 20; with dot products 1 is usual. */
  scale?: number
  /** Similarity of two embeddings. Default `cos_sim`. */
  similarityFct?: 'cos_sim' | 'dot_score'
}

/**
 * Every text has to find itself among all texts of the batch, between two encoders that part ways: the model, and a copy of
 * it that is trained along and then thrown away. Needs texts alone.
 *
 * - **Data**: (text); no labels. Both encoders embed it.
 * - **Formula**: (CE(S, i) + CE(Sᵀ, i)) / 2 with S_ij = s(copy(text_i), model(text_j)) · exp(logit_scale).
 * - **Parameters**: `logit_scale` (starts at log(scale)) and the copy, `loss.model1.*`: as much memory and time as a second
 *   model.
 * - **Batches**: larger ones hold more negatives and train better. Texts should differ within a batch.
 * - **Relations**: a stronger signal than {@link ContrastiveTensionLoss}. {@link MultipleNegativesRankingLoss} with the same
 *   text in both columns (SimCSE) trains one encoder and tells the two embeddings apart by their dropout.
 *
 * Paper: Carlsson et al. 2021, https://openreview.net/pdf?id=Ov_sMNau-PF. Source: sentence-transformers
 * `losses/ContrastiveTensionLossInBatchNegatives`.
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
    const options = lossOptions<ContrastiveTensionLossInBatchNegativesOptions>(this, args, ['scale', 'similarityFct'])
    checkPositive(`${this.type} scale`, options.scale)
    checkOneOf(`${this.type} similarityFct`, options.similarityFct, ['cos_sim', 'dot_score'])
    this.scale = options.scale ?? 20
    this.similarityFct = options.similarityFct ?? 'cos_sim'
  }

  spec(): LossSpec {
    return { type: this.type, scale: this.scale, similarity: this.similarityFct === 'cos_sim' ? 'cosine' : 'dot' }
  }
}
