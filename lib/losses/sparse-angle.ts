import type { LossSpec } from '../native/types.js'
import { type OptionTable, positive } from '../options/kinds.js'
import { type LossArguments, lossOptions } from './arguments.js'
import type { Loss, LossRequirements } from './loss.js'
import { OF_SPARSE } from './wrapped.js'

export interface SparseAnglELossOptions {
  /** Factor of the similarity (1 / temperature). Default 20. */
  scale?: number
}

export const OPTIONS = { scale: positive(20) } satisfies OptionTable<SparseAnglELossOptions>

/**
 * {@link SparseCoSENTLoss} with the angle of two embeddings in complex space as their similarity.
 *
 * - **Data**: (text_a, text_b) and a number of any range.
 * - **Formula**: That of {@link CoSENTLoss} with the similarity `pairwise_angle_sim`.
 * - **Use**: Within {@link SpladeLoss} or {@link CSRLoss}.
 *
 * Paper: Li and Li 2024, https://arxiv.org/abs/2309.12871. Source: sentence-transformers `sparse_encoder/losses/SparseAnglELoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([
 *   { text_a: 'A cat sits outside.', text_b: 'A cat is outside.', label: 0.9 },
 *   { text_a: 'A cat sits outside.', text_b: 'A man plays guitar.', label: 0.1 },
 * ])
 * const loss = new losses.SparseAnglELoss({ scale: 10 })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class SparseAnglELoss implements Loss {
  readonly type = 'SparseAnglELoss'
  readonly within = OF_SPARSE
  readonly similarityFnName = 'cosine'
  readonly requirements: LossRequirements = { minColumns: 2, maxColumns: 2, labels: 'float' }
  readonly scale: number

  constructor(...args: LossArguments<SparseAnglELossOptions>) {
    this.scale = lossOptions(this, args, OPTIONS).scale
  }

  spec(): LossSpec {
    return { type: 'CoSENTLoss', scale: this.scale, similarity: 'angle' }
  }
}
