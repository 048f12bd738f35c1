import type { LossSpec } from '../native/types.js'
import { checkPositive } from '../options.js'
import { type LossArguments, lossOptions } from './arguments.js'
import type { Loss, LossRequirements } from './loss.js'

export interface AnglELossOptions {
  /** Factor of the similarity (1 / temperature). Default 20. */
  scale?: number
}

/**
 * {@link CoSENTLoss} with the angle of two embeddings in complex space as their similarity: the cosine's gradient vanishes
 * near its top and bottom, the angle's does not.
 *
 * - **Data**: (text_a, text_b) and a float label; or (anchor, positive, negative_1, … negative_n), with a label for the
 *   positive (1 where there is none) while each negative has 1 − label.
 * - **Formula**: log(1 + Σ exp(scale · (s_i − s_j)) over all i, j with y_i < y_j); with the halves of an embedding as real and
 *   imaginary parts, s = |sum of the parts of u / v|, u and v of length 1.
 * - **Batches**: larger ones compare more pairs of pairs.
 *
 * Paper: Li and Li 2024, https://arxiv.org/abs/2309.12871. Source: sentence-transformers `losses/AnglELoss`.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class AnglELoss implements Loss {
  readonly type = 'AnglELoss'
  readonly requirements: LossRequirements = {
    minColumns: 2,
    maxColumns: Number.POSITIVE_INFINITY,
    labels: 'float',
    labelsOptionalFrom: 3,
  }
  readonly scale: number

  constructor(...args: LossArguments<AnglELossOptions>) {
    const options = lossOptions<AnglELossOptions>(this, args, ['scale'])
    checkPositive(`${this.type} scale`, options.scale)
    this.scale = options.scale ?? 20
  }

  spec(): LossSpec {
    return { type: this.type, scale: this.scale }
  }
}
