import { invalidArgument } from '../../errors.js'
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

export interface BinaryCrossEntropyLossOptions extends LogitOptions {
  /** Weight of positive examples; above 1 it favours recall. Take the number of negatives for each positive. Default: none. */
  posWeight?: number | null
}

/**
 * A pair's score, as a probability, shall be its label. The default loss for models with one label.
 *
 * - **Data**: (text_a, text_b) and a label of 0 to 1, mostly 0 or 1: pairs, or a query and its answers, right and wrong.
 * - **Formula**: mean of −[w · y · log σ(s) + (1 − y) · log(1 − σ(s))], s the activated logit, w `posWeight`.
 * - **Relations**: {@link MultipleNegativesRankingLoss} needs positives alone; {@link LambdaLoss} compares a query's
 *   documents and often ranks better.
 *
 * Source: sentence-transformers `cross_encoder/losses/BinaryCrossEntropyLoss`.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class BinaryCrossEntropyLoss implements CrossEncoderLoss {
  readonly type = 'CrossEncoder.BinaryCrossEntropyLoss'
  readonly requirements: LossRequirements = { minColumns: 2, maxColumns: 2, labels: 'float' }
  readonly pairing = { kind: 'pair' } as const
  readonly activationFn: LogitActivation
  readonly posWeight: number | null

  constructor(...args: PairLossArguments<BinaryCrossEntropyLossOptions>) {
    const options = pairLossOptions<BinaryCrossEntropyLossOptions>(this, args, ['activationFn', 'posWeight'], {
      weight: { harmless: [null] },
      reduction: { harmless: ['mean'] },
    })
    this.activationFn = checkActivation(this.type, options.activationFn)
    this.posWeight = options.posWeight ?? null
    if (this.posWeight !== null && !(Number.isFinite(this.posWeight) && this.posWeight >= 0)) {
      throw invalidArgument(`${this.type} posWeight`, 'a number of at least 0', this.posWeight)
    }
  }

  spec(numLabels: number): LossSpec {
    needOneLabel(this.type, numLabels)
    return { type: this.type, activationFn: this.activationFn, posWeight: this.posWeight }
  }
}
