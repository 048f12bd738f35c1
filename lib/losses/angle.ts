import type { LossSpec } from '../native/types.js'
import { type OptionTable, positive } from '../options/kinds.js'
import { type LossArguments, lossOptions } from './arguments.js'
import type { Loss, LossRequirements } from './loss.js'

export interface AnglELossOptions {
  /** Factor of the similarity (1 / temperature). Default 20. */
  scale?: number
}

export const OPTIONS = { scale: positive(20) } satisfies OptionTable<AnglELossOptions>

/**
 * {@link CoSENTLoss} with the angle of two embeddings in complex space as their similarity. The gradient of the cosine
 * vanishes near ±1, that of the angle does not.
 *
 * - **Data**: (text_a, text_b) and a number; or (anchor, positive, negative_1, … negative_n) with a number for the positive, or
 *   without labels.
 * - **Formula**: log(1 + Σ exp(scale · (s_i − s_j)) over all i, j with y_i < y_j), s = |sum of the parts of u / v|, u and v of
 *   length 1. The halves of an embedding are its real and imaginary parts. A negative has the label 1 − y; y is 1 where there
 *   is no label.
 * - **Batches**: A larger batch compares more pairs with each other.
 * - **Relations**: It takes the data of {@link CoSENTLoss}.
 *
 * Paper: Li and Li 2024, https://arxiv.org/abs/2309.12871. Source: sentence-transformers `losses/AnglELoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([
 *   { text_a: 'A cat sits outside.', text_b: 'A cat is outside.', label: 0.9 },
 *   { text_a: 'A cat sits outside.', text_b: 'A man plays guitar.', label: 0.1 },
 * ])
 * const loss = new losses.AnglELoss({ scale: 10 })
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
    this.scale = lossOptions(this, args, OPTIONS).scale
  }

  spec(): LossSpec {
    return { type: this.type, scale: this.scale }
  }
}
