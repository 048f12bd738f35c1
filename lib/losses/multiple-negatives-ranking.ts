import type { LossSpec } from '../native/types.js'
import { checkOneOf, checkOptions, checkPositive } from '../options.js'
import type { Loss, LossRequirements } from './loss.js'

export interface MultipleNegativesRankingLossOptions {
  /** Factor of the similarity before the softmax (1 / temperature). Default 20; with dot products 1 is usual. */
  scale?: number
  /** Similarity of anchor and candidate. Default `cos_sim`. */
  similarityFct?: 'cos_sim' | 'dot_score'
}

/**
 * Each anchor has to find its own positive among all positives, and all hard negatives, of the batch (InfoNCE with
 * in-batch negatives). The loss to start with when all there is are pairs that belong together.
 *
 * - **Data**: (anchor, positive), or (anchor, positive, negative_1, … negative_n) with hard negatives; no labels.
 * - **Formula**: with candidates c_1 … c_m (the positives of the batch, then every negative column),
 *   mean over i of −log( exp(scale · s(a_i, p_i)) / Σ_j exp(scale · s(a_i, c_j)) ).
 * - **Batches**: larger ones hold more negatives and train better. Use `batchSampler: 'no_duplicates'`: a text that is
 *   twice in a batch is a false negative. Gradient accumulation adds no negatives.
 * - **Relations**: {@link CoSENTLoss} and {@link CosineSimilarityLoss} learn from graded pairs instead.
 *
 * Papers: Henderson et al. 2017, https://arxiv.org/abs/1705.00652; with hard negatives, Karpukhin et al. 2020,
 * https://arxiv.org/abs/2004.04906. Source: sentence-transformers `losses/MultipleNegativesRankingLoss`, its options
 * `directions`, `partitionMode`, `hardnessMode`, `hardnessStrength` and `gatherAcrossDevices` at their defaults.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_NOT_IMPLEMENTED (the options above at other values)
 */
export class MultipleNegativesRankingLoss implements Loss {
  readonly type = 'MultipleNegativesRankingLoss'
  readonly requirements: LossRequirements = { minColumns: 2, maxColumns: Number.POSITIVE_INFINITY, labels: 'none' }
  readonly scale: number
  readonly similarityFct: 'cos_sim' | 'dot_score'

  constructor(options: MultipleNegativesRankingLossOptions = {}) {
    checkOptions(this.type, options, ['scale', 'similarityFct'], {
      directions: { harmless: [['query_to_doc'], 'query_to_doc'] },
      partitionMode: { harmless: ['joint'] },
      hardnessMode: { harmless: [null] },
      hardnessStrength: { harmless: [0] },
      gatherAcrossDevices: { harmless: [false] },
    })
    checkPositive(`${this.type} scale`, options.scale)
    checkOneOf(`${this.type} similarityFct`, options.similarityFct, ['cos_sim', 'dot_score'])
    this.scale = options.scale ?? 20
    this.similarityFct = options.similarityFct ?? 'cos_sim'
  }

  spec(): LossSpec {
    return { type: this.type, scale: this.scale, similarity: this.similarityFct === 'cos_sim' ? 'cosine' : 'dot' }
  }
}
