import type { LossSpec } from '../../native/types.js'
import { checkPositive } from '../../options.js'
import type { Caching, LossRequirements } from '../loss.js'
import {
  type CrossEncoderLoss,
  checkActivation,
  checkMiniBatch,
  LISTWISE,
  type ListwiseOptions,
  type LogitActivation,
  needOneLabel,
  type PairLossArguments,
  pairLossOptions,
} from './loss.js'

export interface ADRMSELossOptions extends ListwiseOptions {
  /** Sharpness of the approximate ranks. Default 1. */
  alpha?: number
}

/**
 * The rank of each document by its score shall be its rank by its label, errors at the top counting most.
 *
 * - **Data**: (query, [document, …]) and [label, …]; equal labels share the mean of their ranks.
 * - **Formula**: mean over all documents of (r − r̂)² / log2(r + 1), where r̂ = 1 + Σ_j σ(alpha · (s_j − s_i)).
 * - **Relations**: {@link LambdaLoss}.
 *
 * Paper: Schlatt et al. 2024 (Rank-DistiLLM), https://arxiv.org/abs/2405.07920. Source: sentence-transformers
 * `cross_encoder/losses/ADRMSELoss`.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class ADRMSELoss implements CrossEncoderLoss {
  readonly type = 'CrossEncoder.ADRMSELoss'
  readonly requirements: LossRequirements = { minColumns: 2, maxColumns: 2, labels: 'floats' }
  readonly pairing = { kind: 'lists' } as const
  readonly activationFn: LogitActivation
  readonly alpha: number
  readonly caching?: Caching

  constructor(...args: PairLossArguments<ADRMSELossOptions>) {
    const options = pairLossOptions<ADRMSELossOptions>(this, args, [...LISTWISE, 'alpha'])
    checkPositive(`${this.type} alpha`, options.alpha)
    this.activationFn = checkActivation(this.type, options.activationFn)
    this.alpha = options.alpha ?? 1
    Object.assign(this, checkMiniBatch(this.type, options.miniBatchSize))
  }

  spec(numLabels: number): LossSpec {
    needOneLabel(this.type, numLabels)
    return { type: this.type, activationFn: this.activationFn, alpha: this.alpha }
  }
}
