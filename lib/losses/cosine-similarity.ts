import type { LossSpec } from '../native/types.js'
import { choice, type OptionTable } from '../options/kinds.js'
import { type LossArguments, lossOptions } from './arguments.js'
import type { Loss, LossRequirements } from './loss.js'

const TRANSFORMATIONS = ['identity', 'sigmoid', 'tanh', 'relu', 'gelu', 'silu'] as const

export interface CosineSimilarityLossOptions {
  /** How the cosine is compared with the label: `mse`, the mean squared error, is the only one that is built. */
  lossFct?: 'mse'
  /** Function of the cosine that is applied first. Default `identity`. */
  cosScoreTransformation?: (typeof TRANSFORMATIONS)[number]
}

export const OPTIONS = {
  cosScoreTransformation: choice(TRANSFORMATIONS, 'identity'),
} satisfies OptionTable<Omit<CosineSimilarityLossOptions, 'lossFct'>>

export const NOT_BUILT = { lossFct: { harmless: ['mse'] } }

/**
 * The cosine of a pair becomes its label.
 *
 * - **Data**: (text_a, text_b) and a number from −1 to 1, as a cosine is. Labels are never rescaled: divide scores of 0 to 5
 *   by 5 first.
 * - **Formula**: mean (f(cos(u, v)) − y)², f: `cosScoreTransformation`.
 * - **Relations**: {@link CoSENTLoss} and {@link AnglELoss} take the same data, use only the order of the labels, and are
 *   usually better.
 *
 * Paper: Reimers and Gurevych 2019, https://arxiv.org/abs/1908.10084. Source: sentence-transformers
 * `losses/CosineSimilarityLoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([
 *   { text_a: 'A cat sits outside.', text_b: 'A cat is outside.', label: 0.9 },
 *   { text_a: 'A cat sits outside.', text_b: 'A man plays guitar.', label: 0.1 },
 * ])
 * const loss = new losses.CosineSimilarityLoss({ cosScoreTransformation: 'tanh' })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_NOT_IMPLEMENTED (`lossFct` other than `mse`)
 */
export class CosineSimilarityLoss implements Loss {
  readonly type: string = 'CosineSimilarityLoss'
  readonly requirements: LossRequirements = { minColumns: 2, maxColumns: 2, labels: 'float' }
  readonly cosScoreTransformation: (typeof TRANSFORMATIONS)[number]

  constructor(...args: LossArguments<CosineSimilarityLossOptions>) {
    this.cosScoreTransformation = lossOptions(this, args, OPTIONS, { notBuilt: NOT_BUILT }).cosScoreTransformation
  }

  spec(): LossSpec {
    return { type: 'CosineSimilarityLoss', cosScoreTransformation: this.cosScoreTransformation }
  }
}
