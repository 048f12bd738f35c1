import type { LossSpec } from '../native/types.js'
import { checkOneOf } from '../options.js'
import { type LossArguments, lossOptions } from './arguments.js'
import type { Loss, LossRequirements } from './loss.js'

const TRANSFORMATIONS = ['identity', 'sigmoid', 'tanh', 'relu', 'gelu', 'silu'] as const

export interface CosineSimilarityLossOptions {
  /** How the cosine is compared with the label; `mse` (mean squared error) is the one that is built. */
  lossFct?: 'mse'
  /** What is applied to the cosine first. Default `identity`. */
  cosScoreTransformation?: (typeof TRANSFORMATIONS)[number]
}

/**
 * The cosine of a pair shall be its label.
 *
 * - **Data**: (text_a, text_b) and a float label, −1 to 1 as a cosine is; scores of 0 to 5 must be divided by 5 first
 *   (labels are never rescaled here).
 * - **Formula**: mean (f(cos(u, v)) − y)², f: `cosScoreTransformation`.
 * - **Relations**: {@link CoSENTLoss} and {@link AnglELoss} take the same data, use only the order of the labels, and are
 *   usually better.
 *
 * Paper: Reimers and Gurevych 2019, https://arxiv.org/abs/1908.10084. Source: sentence-transformers
 * `losses/CosineSimilarityLoss`.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_NOT_IMPLEMENTED (`lossFct` other than `mse`)
 */
export class CosineSimilarityLoss implements Loss {
  readonly type = 'CosineSimilarityLoss'
  readonly requirements: LossRequirements = { minColumns: 2, maxColumns: 2, labels: 'float' }
  readonly cosScoreTransformation: (typeof TRANSFORMATIONS)[number]

  constructor(...args: LossArguments<CosineSimilarityLossOptions>) {
    const options = lossOptions<CosineSimilarityLossOptions>(this, args, ['cosScoreTransformation'], {
      lossFct: { harmless: ['mse'] },
    })
    checkOneOf(`${this.type} cosScoreTransformation`, options.cosScoreTransformation, TRANSFORMATIONS)
    this.cosScoreTransformation = options.cosScoreTransformation ?? 'identity'
  }

  spec(): LossSpec {
    return { type: this.type, cosScoreTransformation: this.cosScoreTransformation }
  }
}
