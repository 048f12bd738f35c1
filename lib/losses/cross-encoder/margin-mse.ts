import type { LossSpec } from '../../native/types.js'
import type { OptionTable } from '../../options/kinds.js'
import type { LossRequirements } from '../loss.js'
import {
  type CrossEncoderLoss,
  LOGIT_OPTIONS,
  type LogitActivation,
  type LogitOptions,
  needOneLabel,
  type PairLossArguments,
  pairLossOptions,
} from './loss.js'

export type MarginMSELossOptions = LogitOptions

export const OPTIONS = LOGIT_OPTIONS satisfies OptionTable<MarginMSELossOptions>

export const NOT_BUILT = { reduction: { harmless: ['mean'] } }

/**
 * The difference of the scores of a positive and a negative becomes that of a teacher.
 *
 * - **Data**: (query, positive, negative, …) and the teacher's margin s(q, p) − s(q, n). With several negatives it is an array of
 *   margins, or of the teacher's scores for the positive and every negative.
 * - **Formula**: mean of ((s_p − s_n) − y)² over rows and negatives. With scores as labels y is their difference.
 * - **Relations**: {@link MSELoss} learns the scores themselves.
 *
 * Paper: Hofstätter et al. 2020, https://arxiv.org/abs/2010.02666. Source: sentence-transformers
 * `cross_encoder/losses/MarginMSELoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([
 *   { query: 'capital of France', positive: 'Paris is the capital.', negative: 'Lyon is a city.', label: 4.2 },
 * ])
 * const loss = new crossEncoderLosses.MarginMSELoss({ activationFn: 'sigmoid' })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class MarginMSELoss implements CrossEncoderLoss {
  readonly type = 'CrossEncoder.MarginMSELoss'
  readonly requirements: LossRequirements = { minColumns: 3, maxColumns: Number.POSITIVE_INFINITY, labels: 'floats' }
  readonly pairing = { kind: 'columns' } as const
  readonly activationFn: LogitActivation

  constructor(...args: PairLossArguments<MarginMSELossOptions>) {
    this.activationFn = pairLossOptions(this, args, OPTIONS, NOT_BUILT).activationFn
  }

  spec(numLabels: number): LossSpec {
    needOneLabel(this.type, numLabels)
    return { type: this.type, activationFn: this.activationFn }
  }
}
