import type { LossSpec } from '../../native/types.js'
import type { LossRequirements } from '../loss.js'
import {
  type CrossEncoderLoss,
  checkActivation,
  type LogitActivation,
  type LogitOptions,
  needOneLabel,
  type PairLossArguments,
  pairLossOptions,
} from './loss.js'

export type MSELossOptions = LogitOptions

/**
 * A pair's score shall be its label: how a teacher's scores are learnt.
 *
 * - **Data**: (text_a, text_b) and a float label of any range, such as the score of a larger cross-encoder.
 * - **Formula**: mean of (s − y)², s the activated logit.
 * - **Relations**: {@link MarginMSELoss} learns differences of scores, which usually transfer better.
 *
 * Paper: Hofstätter et al. 2020, https://arxiv.org/abs/2010.02666. Source: sentence-transformers
 * `cross_encoder/losses/MSELoss`.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class MSELoss implements CrossEncoderLoss {
  readonly type = 'CrossEncoder.MSELoss'
  readonly requirements: LossRequirements = { minColumns: 2, maxColumns: 2, labels: 'float' }
  readonly pairing = { kind: 'pair' } as const
  readonly activationFn: LogitActivation

  constructor(...args: PairLossArguments<MSELossOptions>) {
    const options = pairLossOptions<MSELossOptions>(this, args, ['activationFn'], { reduction: { harmless: ['mean'] } })
    this.activationFn = checkActivation(this.type, options.activationFn)
  }

  spec(numLabels: number): LossSpec {
    needOneLabel(this.type, numLabels)
    return { type: this.type, activationFn: this.activationFn }
  }
}
