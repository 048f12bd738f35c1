import type { LossSpec } from '../native/types.js'
import { checkOptions } from '../options.js'
import type { Loss, LossRequirements } from './loss.js'

export interface CosineSimilarityLossOptions {
  /** How the cosine is compared with the label; `mse` (mean squared error) is the one that is built. */
  lossFct?: 'mse'
  /** What is applied to the cosine first; `identity` is the one that is built. */
  cosScoreTransformation?: 'identity'
}

/**
 * The cosine of a pair shall be its label.
 *
 * - **Data**: (text_a, text_b) and a float label, −1 to 1 as a cosine is; scores of 0 to 5 must be divided by 5 first
 *   (labels are never rescaled here).
 * - **Formula**: mean (cos(u, v) − y)².
 * - **Relations**: {@link CoSENTLoss} takes the same data, uses only the order of the labels, and is usually better.
 *
 * Paper: Reimers and Gurevych 2019, https://arxiv.org/abs/1908.10084. Source: sentence-transformers
 * `losses/CosineSimilarityLoss`.
 *
 * @throws ERR_UNKNOWN_OPTION, ERR_NOT_IMPLEMENTED (options at other values)
 */
export class CosineSimilarityLoss implements Loss {
  readonly type = 'CosineSimilarityLoss'
  readonly requirements: LossRequirements = { minColumns: 2, maxColumns: 2, labels: 'float' }

  constructor(options: CosineSimilarityLossOptions = {}) {
    checkOptions(this.type, options, [], {
      lossFct: { harmless: ['mse'] },
      cosScoreTransformation: { harmless: ['identity'] },
    })
  }

  spec(): LossSpec {
    return { type: this.type }
  }
}
