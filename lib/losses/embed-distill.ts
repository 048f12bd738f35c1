import type { LossSpec } from '../native/types.js'
import { choice, integer, nullable, type OptionTable } from '../options/kinds.js'
import { type LossArguments, lossOptions } from './arguments.js'
import type { Loss, LossRequirements } from './loss.js'

const METRICS = ['cosine', 'mse', 'l2'] as const

export interface EmbedDistillLossOptions {
  /** `cosine`: 1 − cosine; `mse`: mean squared error; `l2`: length of the difference. Default `cosine`. */
  distanceMetric?: (typeof METRICS)[number]
  /** Width of the teacher's embeddings where it is not the model's. A linear layer is then learned. Default `null`. */
  projectionDim?: number | null
}

export const OPTIONS = {
  distanceMetric: choice(METRICS, 'cosine'),
  projectionDim: nullable(integer(undefined, { least: 1 })),
} satisfies OptionTable<EmbedDistillLossOptions>

/**
 * The embeddings become those of a teacher: distillation into a smaller model, or into another language.
 *
 * - **Data**: (text, …) and an array of numbers, the teacher's embedding for all texts of the row; or an array of such arrays,
 *   one for each text.
 * - **Formula**: mean over the columns of the mean distance d(u, y), or d(W u + b, y) with `projectionDim`.
 * - **Parameters**: With `projectionDim` the loss owns W and b: `projection.weight` [projectionDim, width] and `projection.bias`
 *   [projectionDim]. The model does not keep them. They are in `lossTensors` of the trainer's result and in
 *   `loss.safetensors` of every checkpoint. The trainer's option `lossTensors` takes both, as `save_projection` and
 *   `load_projection` do in Python.
 * - **Relations**: {@link MSELoss} is this loss with `mse`. {@link DistillKLDivLoss} and {@link MarginMSELoss} distil scores.
 *
 * Paper: Kim et al. 2023, https://arxiv.org/abs/2301.12005. Source: sentence-transformers `losses/EmbedDistillLoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([{ text: 'A cat sits outside.', label: [0.12, -0.03, 0.88] }])
 * const loss = new losses.EmbedDistillLoss({ distanceMetric: 'mse', projectionDim: 3 })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class EmbedDistillLoss implements Loss {
  readonly type = 'EmbedDistillLoss'
  readonly requirements: LossRequirements = { minColumns: 1, maxColumns: Number.POSITIVE_INFINITY, labels: 'floats' }
  readonly distanceMetric: (typeof METRICS)[number]
  readonly projectionDim: number | null

  constructor(...args: LossArguments<EmbedDistillLossOptions>) {
    const options = lossOptions(this, args, OPTIONS)
    this.distanceMetric = options.distanceMetric
    this.projectionDim = options.projectionDim
  }

  spec(): LossSpec {
    const { type, distanceMetric, projectionDim } = this
    return projectionDim === null ? { type, distanceMetric } : { type, distanceMetric, projectionDim }
  }
}
