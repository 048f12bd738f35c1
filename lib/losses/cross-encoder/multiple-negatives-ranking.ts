import type { LossSpec } from '../../native/types.js'
import { choice, integer, number, type OptionTable, option } from '../../options/kinds.js'
import type { LossRequirements } from '../loss.js'
import {
  ACTIVATIONS,
  type CrossEncoderLoss,
  type LogitActivation,
  needOneLabel,
  type Pairing,
  type PairLossArguments,
  pairLossOptions,
} from './loss.js'

export interface MultipleNegativesRankingLossOptions {
  /** Texts of other rows that each query is scored with; `null`: all. Every one is a pass of the model. Default 4. */
  numNegatives?: number | null
  /** Factor of the activated logits; 0 leaves them as they are. Default 10. */
  scale?: number
  /** Function of the logits that is applied first; `null` is `identity`. Default `sigmoid`. */
  activationFn?: LogitActivation | null
}

const negatives = integer(4, { least: 1 })
const activation = choice(ACTIVATIONS, 'sigmoid')

export const OPTIONS = {
  numNegatives: option<number | null>({
    ...negatives,
    type: 'number | null',
    check: (name, value) => {
      if (value !== null) negatives.check(name, value)
    },
  }),
  scale: number(10, { least: 0 }),
  activationFn: option<LogitActivation | null>({
    ...activation,
    type: `${activation.type} | null`,
    check: (name, value) => {
      if (value !== null) activation.check(name, value)
    },
  }),
} satisfies OptionTable<MultipleNegativesRankingLossOptions>

/**
 * Each query has to find its own positive among texts of other rows of the batch, drawn at random, and its hard negatives.
 *
 * - **Data**: (query, positive), or (query, positive, negative_1, … negative_n) with hard negatives; no labels.
 * - **Formula**: mean of −log softmax(scale · σ(logits)) at the positive, over the positive, `numNegatives` texts drawn among
 *   the positives and hard negatives of other rows (without repetition), and the row's hard negatives.
 * - **Batches**: The draw is a pure function of the trainer's seed and the batch. Mined hard negatives help more than many
 *   random ones; see `util.mineHardNegatives`.
 * - **Relations**: {@link BinaryCrossEntropyLoss} over mined negatives is the usual alternative.
 * - **Differs**: other negatives are drawn; values are compared with the same ones.
 *
 * Paper: Henderson et al. 2017, https://arxiv.org/abs/1705.00652. Source: sentence-transformers
 * `cross_encoder/losses/MultipleNegativesRankingLoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([
 *   { query: 'capital of France', positive: 'Paris is the capital.' },
 *   { query: 'largest planet', positive: 'Jupiter is the largest.' },
 * ])
 * const loss = new crossEncoderLosses.MultipleNegativesRankingLoss({ numNegatives: 8 })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class MultipleNegativesRankingLoss implements CrossEncoderLoss {
  readonly type: string = 'CrossEncoder.MultipleNegativesRankingLoss'
  readonly requirements: LossRequirements = {
    minColumns: 2,
    maxColumns: Number.POSITIVE_INFINITY,
    labels: 'none',
    inBatchNegatives: true,
  }
  readonly pairing: Pairing
  readonly numNegatives: number | null
  readonly scale: number
  readonly activationFn: LogitActivation

  constructor(...args: PairLossArguments<MultipleNegativesRankingLossOptions>) {
    const options = pairLossOptions(this, args, OPTIONS)
    this.numNegatives = options.numNegatives
    this.scale = options.scale
    this.activationFn = options.activationFn ?? 'identity'
    this.pairing = { kind: 'ranking', numNegatives: this.numNegatives }
  }

  spec(numLabels: number): LossSpec {
    needOneLabel(this.type, numLabels)
    return {
      type: 'CrossEncoder.MultipleNegativesRankingLoss',
      // As in Python, where a scale of 0 is no scale.
      scale: this.scale === 0 ? 1 : this.scale,
      activationFn: this.activationFn,
    }
  }
}
