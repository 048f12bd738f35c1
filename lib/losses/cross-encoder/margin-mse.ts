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

export type MarginMSELossOptions = LogitOptions

/**
 * The difference of the scores of a positive and a negative shall be that of a teacher.
 *
 * - **Data**: (query, positive, negative, …) and as the label the teacher's margin s(q, p) − s(q, n); with several negatives
 *   a list of margins, or a list of the teacher's scores for the positive and every negative.
 * - **Formula**: mean of ((s_p − s_n) − y)² over rows and negatives.
 * - **Relations**: {@link MSELoss} learns the scores themselves.
 *
 * Paper: Hofstätter et al. 2020, https://arxiv.org/abs/2010.02666. Source: sentence-transformers
 * `cross_encoder/losses/MarginMSELoss`.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class MarginMSELoss implements CrossEncoderLoss {
  readonly type = 'CrossEncoder.MarginMSELoss'
  readonly requirements: LossRequirements = { minColumns: 3, maxColumns: Number.POSITIVE_INFINITY, labels: 'floats' }
  readonly pairing = { kind: 'columns' } as const
  readonly activationFn: LogitActivation

  constructor(...args: PairLossArguments<MarginMSELossOptions>) {
    const options = pairLossOptions<MarginMSELossOptions>(this, args, ['activationFn'], {
      reduction: { harmless: ['mean'] },
    })
    this.activationFn = checkActivation(this.type, options.activationFn)
  }

  spec(numLabels: number): LossSpec {
    needOneLabel(this.type, numLabels)
    return { type: this.type, activationFn: this.activationFn }
  }
}
