import type { LossSpec } from '../native/types.js'
import { integer, nullable, type OptionTable } from '../options/kinds.js'
import { type LossArguments, lossOptions } from './arguments.js'
import type { Loss, LossRequirements } from './loss.js'

export interface MSELossOptions {
  /** Width of the teacher's embeddings where it is not the model's. A linear layer is then learned. Default `null`. */
  projectionDim?: number | null
}

export const OPTIONS = {
  projectionDim: nullable(integer(undefined, { least: 1 })),
} satisfies OptionTable<MSELossOptions>

/**
 * The embeddings become those of a teacher, by the mean squared error. One-language models become multilingual this way.
 *
 * - **Data**: (text, …) and an array of numbers, the teacher's embedding for all texts of the row; or an array of such arrays,
 *   one for each text. For a multilingual model: a text, its translation, and the teacher's embedding of the text.
 * - **Formula**: mean over columns, rows and dimensions of (u − y)², or (W u + b − y)² with `projectionDim`.
 * - **Parameters**: Those of {@link EmbedDistillLoss}.
 * - **Relations**: It is {@link EmbedDistillLoss} with `distanceMetric: 'mse'`.
 *
 * Paper: Reimers and Gurevych 2020, https://arxiv.org/abs/2004.09813. Source: sentence-transformers `losses/MSELoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([
 *   { english: 'A cat sits outside.', german: 'Eine Katze sitzt draußen.', label: [0.12, -0.03, 0.88] },
 * ])
 * const loss = new losses.MSELoss({ projectionDim: 3 })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class MSELoss implements Loss {
  readonly type: string = 'MSELoss'
  readonly requirements: LossRequirements = { minColumns: 1, maxColumns: Number.POSITIVE_INFINITY, labels: 'floats' }
  readonly projectionDim: number | null

  constructor(...args: LossArguments<MSELossOptions>) {
    this.projectionDim = lossOptions(this, args, OPTIONS).projectionDim
  }

  spec(): LossSpec {
    const { projectionDim } = this
    const type = 'MSELoss'
    return projectionDim === null ? { type } : { type, projectionDim }
  }
}
