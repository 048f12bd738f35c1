import type { LossSpec } from '../../native/types.js'
import { nullable, number, type OptionTable } from '../../options/kinds.js'
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

export interface BinaryCrossEntropyLossOptions extends LogitOptions {
  /** Weight of positives. Above 1 it favours recall: take the number of negatives for each positive. Default `null`: 1. */
  posWeight?: number | null
}

export const OPTIONS = {
  posWeight: nullable(number(undefined, { least: 0 })),
  ...LOGIT_OPTIONS,
} satisfies OptionTable<BinaryCrossEntropyLossOptions>

export const NOT_BUILT = { weight: { harmless: [null] }, reduction: { harmless: ['mean'] } }

/**
 * A pair's score, as a probability, becomes its label. This is the default loss for models with one label.
 *
 * - **Data**: (text_a, text_b) and a number from 0 to 1, mostly 0 or 1: pairs, or a query and its answers, right and wrong.
 * - **Formula**: mean of −[w · y · log σ(s) + (1 − y) · log(1 − σ(s))], s: the activated logit, w: `posWeight`.
 * - **Relations**: {@link MultipleNegativesRankingLoss} needs positives alone. {@link LambdaLoss} compares a query's documents and
 *   often ranks better.
 *
 * Source: sentence-transformers `cross_encoder/losses/BinaryCrossEntropyLoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([
 *   { query: 'capital of France', answer: 'Paris is the capital.', label: 1 },
 *   { query: 'capital of France', answer: 'Lyon is a city.', label: 0 },
 * ])
 * const loss = new crossEncoderLosses.BinaryCrossEntropyLoss({ posWeight: 4 })
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
    const options = pairLossOptions(this, args, OPTIONS, NOT_BUILT)
    this.activationFn = options.activationFn
    this.posWeight = options.posWeight
  }

  spec(numLabels: number): LossSpec {
    needOneLabel(this.type, numLabels)
    return { type: this.type, activationFn: this.activationFn, posWeight: this.posWeight }
  }
}
