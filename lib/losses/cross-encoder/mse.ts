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

export type MSELossOptions = LogitOptions

export const OPTIONS = LOGIT_OPTIONS satisfies OptionTable<MSELossOptions>

export const NOT_BUILT = { reduction: { harmless: ['mean'] } }

/**
 * A pair's score becomes its label. A teacher's scores are learned this way.
 *
 * - **Data**: (text_a, text_b) and a number of any range, such as the score of a larger cross-encoder.
 * - **Formula**: mean of (s − y)², s: the activated logit.
 * - **Relations**: {@link MarginMSELoss} learns differences of scores, which usually transfer better.
 *
 * Source: sentence-transformers `cross_encoder/losses/MSELoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([
 *   { query: 'capital of France', answer: 'Paris is the capital.', score: 7.1 },
 *   { query: 'capital of France', answer: 'Lyon is a city.', score: -2.5 },
 * ])
 * const loss = new crossEncoderLosses.MSELoss({ activationFn: 'sigmoid' })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class MSELoss implements CrossEncoderLoss {
  readonly type = 'CrossEncoder.MSELoss'
  readonly requirements: LossRequirements = { minColumns: 2, maxColumns: 2, labels: 'float' }
  readonly pairing = { kind: 'pair' } as const
  readonly activationFn: LogitActivation

  constructor(...args: PairLossArguments<MSELossOptions>) {
    this.activationFn = pairLossOptions(this, args, OPTIONS, NOT_BUILT).activationFn
  }

  spec(numLabels: number): LossSpec {
    needOneLabel(this.type, numLabels)
    return { type: this.type, activationFn: this.activationFn }
  }
}
