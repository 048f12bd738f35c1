import { invalidArgument } from '../../errors.js'
import type { LossSpec } from '../../native/types.js'
import { checkInteger } from '../../options.js'
import type { LossRequirements } from '../loss.js'
import {
  type CrossEncoderLoss,
  checkActivation,
  type LogitActivation,
  type LogitOptions,
  needOneLabel,
  type Pairing,
  type PairLossArguments,
  pairLossOptions,
} from './loss.js'

export interface MultipleNegativesRankingLossOptions extends Omit<LogitOptions, 'activationFn'> {
  /** Texts of other rows that each query is scored with; null for all. Every one is a pass of the model. Default 4. */
  numNegatives?: number | null
  /** Factor of the activated logits; 0 leaves them as they are. Default 10. */
  scale?: number
  /** What is applied to the logits first; null is `identity`. Default `sigmoid`. */
  activationFn?: LogitActivation | null
}

/** The names of {@link MultipleNegativesRankingLossOptions}, for the loss that passes them on. */
export const CE_RANKING_OPTIONS = ['numNegatives', 'scale', 'activationFn'] as const

/**
 * Each query has to find its own positive among texts of other rows of the batch, drawn at random, and its hard negatives.
 *
 * - **Data**: (query, positive), or (query, positive, negative_1, … negative_n) with hard negatives; no labels.
 * - **Formula**: mean of −log softmax(scale · σ(logits)) at the positive, over the positive, `numNegatives` texts drawn among
 *   the positives and hard negatives of other rows (without repetition), and the row's hard negatives.
 * - **Batches**: the draw is a pure function of the trainer's seed and the batch. Mined hard negatives help more than many
 *   random ones; see `util.mineHardNegatives`.
 * - **Relations**: {@link BinaryCrossEntropyLoss} over mined negatives is the usual alternative.
 *
 * Paper: Henderson et al. 2017, https://arxiv.org/abs/1705.00652. Source: sentence-transformers
 * `cross_encoder/losses/MultipleNegativesRankingLoss`.
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
    const where = `CrossEncoder.${new.target.name}`
    const options = pairLossOptions<MultipleNegativesRankingLossOptions>(this, args, CE_RANKING_OPTIONS)
    checkInteger(`${where} numNegatives`, options.numNegatives ?? undefined, 1)
    this.numNegatives = options.numNegatives === undefined ? 4 : options.numNegatives
    this.scale = options.scale ?? 10
    if (!(Number.isFinite(this.scale) && this.scale >= 0)) {
      throw invalidArgument(`${where} scale`, 'a number of at least 0', this.scale)
    }
    const activation = options.activationFn === null ? 'identity' : options.activationFn
    this.activationFn = checkActivation(where, activation, 'sigmoid')
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
