import type { LossSpec } from '../native/types.js'
import { checkInteger, checkOneOf } from '../options.js'
import { type LossArguments, lossOptions } from './arguments.js'
import type { Loss, LossRequirements } from './loss.js'

const METRICS = ['cosine', 'mse', 'l2'] as const

export interface EmbedDistillLossOptions {
  /** `cosine`: 1 − cosine; `mse`: mean squared error; `l2`: length of the difference. Default `cosine`. */
  distanceMetric?: (typeof METRICS)[number]
  /** Width of the teacher's embeddings where it is another than the model's: a linear layer is learned between them. */
  projectionDim?: number | null
}

/**
 * The embeddings shall be a teacher's: distillation into a smaller model, or into another language.
 *
 * - **Data**: (text, …) and an array of float labels, the teacher's embedding for all texts of the row; or an array of such
 *   arrays, one for each text.
 * - **Formula**: mean over the columns of the mean distance d(u, y), or d(W u + b, y) with `projectionDim`.
 * - **Parameters**: with `projectionDim` the loss owns W and b (`projection.weight` [projectionDim, width],
 *   `projection.bias`). The model does not keep them: they are in `lossTensors` of the trainer's result and in
 *   `loss.safetensors` of every checkpoint, and the trainer's option `lossTensors` takes both (what
 *   sentence-transformers calls `save_projection` and `load_projection`).
 * - **Relations**: {@link MSELoss} is this one with `mse`; {@link DistillKLDivLoss} and {@link MarginMSELoss} distil scores.
 *
 * Paper: Kim et al. 2023, https://arxiv.org/abs/2301.12005. Source: sentence-transformers `losses/EmbedDistillLoss`.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class EmbedDistillLoss implements Loss {
  readonly type = 'EmbedDistillLoss'
  readonly requirements: LossRequirements = { minColumns: 1, maxColumns: Number.POSITIVE_INFINITY, labels: 'floats' }
  readonly distanceMetric: (typeof METRICS)[number]
  readonly projectionDim: number | null

  constructor(...args: LossArguments<EmbedDistillLossOptions>) {
    const options = lossOptions<EmbedDistillLossOptions>(this, args, ['distanceMetric', 'projectionDim'])
    checkOneOf(`${this.type} distanceMetric`, options.distanceMetric, METRICS)
    checkInteger(`${this.type} projectionDim`, options.projectionDim ?? undefined, 1)
    this.distanceMetric = options.distanceMetric ?? 'cosine'
    this.projectionDim = options.projectionDim ?? null
  }

  spec(): LossSpec {
    const { type, distanceMetric, projectionDim } = this
    return projectionDim === null ? { type, distanceMetric } : { type, distanceMetric, projectionDim }
  }
}
