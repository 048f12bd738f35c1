import type { LossSpec } from '../native/types.js'
import { checkInteger } from '../options.js'
import { type LossArguments, lossOptions } from './arguments.js'
import type { Loss, LossRequirements } from './loss.js'

export interface MSELossOptions {
  /** Width of the teacher's embeddings where it is another than the model's: a linear layer is learned between them. */
  projectionDim?: number | null
}

/**
 * The embeddings shall be a teacher's, by the mean squared error: how one-language models become multilingual ones.
 *
 * - **Data**: (text, …) and an array of float labels, the teacher's embedding for all texts of the row; or an array of such
 *   arrays, one for each text. For a multilingual model: a text, its translation, and the teacher's embedding of the text.
 * - **Formula**: mean over columns, rows and dimensions of (u − y)², or (W u + b − y)² with `projectionDim`.
 * - **Parameters**: those of {@link EmbedDistillLoss}.
 * - **Relations**: {@link EmbedDistillLoss} with `distanceMetric: 'mse'`.
 *
 * Paper: Reimers and Gurevych 2020, https://arxiv.org/abs/2004.09813. Source: sentence-transformers `losses/MSELoss`.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class MSELoss implements Loss {
  readonly type = 'MSELoss'
  readonly requirements: LossRequirements = { minColumns: 1, maxColumns: Number.POSITIVE_INFINITY, labels: 'floats' }
  readonly projectionDim: number | null

  constructor(...args: LossArguments<MSELossOptions>) {
    const options = lossOptions<MSELossOptions>(this, args, ['projectionDim'])
    checkInteger(`${this.type} projectionDim`, options.projectionDim ?? undefined, 1)
    this.projectionDim = options.projectionDim ?? null
  }

  spec(): LossSpec {
    const { type, projectionDim } = this
    return projectionDim === null ? { type } : { type, projectionDim }
  }
}
