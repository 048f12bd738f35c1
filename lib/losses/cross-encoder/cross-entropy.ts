import { invalidArgument } from '../../errors.js'
import type { LossSpec } from '../../native/types.js'
import { nullable, number, type OptionTable, option } from '../../options/kinds.js'
import type { LossRequirements } from '../loss.js'
import {
  type CrossEncoderLoss,
  LOGIT_OPTIONS,
  type LogitActivation,
  type LogitOptions,
  type PairLossArguments,
  pairLossOptions,
} from './loss.js'

export interface CrossEntropyLossOptions extends LogitOptions {
  /** A weight for each class. Default `null`: 1 each. */
  weight?: readonly number[] | null
  /** Share of the target that all classes divide among them. Default 0. */
  labelSmoothing?: number
}

const isWeight = (value: unknown) => Number.isFinite(value) && (value as number) >= 0

export const OPTIONS = {
  weight: nullable(
    option<readonly number[], undefined>({
      type: 'readonly number[]',
      default: undefined,
      expected: 'numbers of at least 0',
      fits: (value) =>
        (Array.isArray(value) || ArrayBuffer.isView(value)) && Array.from(value as number[]).every(isWeight),
    }),
  ),
  labelSmoothing: number(0, { least: 0, most: 1 }),
  ...LOGIT_OPTIONS,
} satisfies OptionTable<CrossEntropyLossOptions>

export const NOT_BUILT = { ignoreIndex: { harmless: [-100] }, reduction: { harmless: ['mean'] } }

/**
 * A pair belongs to one of several classes. This is the default loss for models with several labels.
 *
 * - **Data**: (text_a, text_b) and a whole number from 0 to the model's `numLabels` − 1 (entailment, neutral, contradiction); or
 *   the probability of each class: numLabels numbers that are not negative and sum to 1.
 * - **Formula**: mean of −log softmax(logits)_y; with probabilities of −Σ_c y_c · log softmax(logits)_c.
 *
 * Source: sentence-transformers `cross_encoder/losses/CrossEntropyLoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([
 *   { premise: 'A cat sits outside.', hypothesis: 'An animal is outside.', label: 0 },
 *   { premise: 'A cat sits outside.', hypothesis: 'The cat is asleep.', label: 2 },
 * ])
 * const loss = new crossEncoderLosses.CrossEntropyLoss({ labelSmoothing: 0.1 })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class CrossEntropyLoss implements CrossEncoderLoss {
  readonly type = 'CrossEncoder.CrossEntropyLoss'
  readonly requirements: LossRequirements = { minColumns: 2, maxColumns: 2, labels: 'int', probabilities: true }
  readonly pairing = { kind: 'pair' } as const
  readonly activationFn: LogitActivation
  readonly weight: readonly number[] | null
  readonly labelSmoothing: number

  constructor(...args: PairLossArguments<CrossEntropyLossOptions>) {
    const options = pairLossOptions(this, args, OPTIONS, NOT_BUILT)
    this.activationFn = options.activationFn
    this.weight = options.weight && [...options.weight]
    this.labelSmoothing = options.labelSmoothing
  }

  spec(numLabels: number): LossSpec {
    if (this.weight && this.weight.length !== numLabels) {
      throw invalidArgument(`${this.type} weight`, `${numLabels} numbers, one for each label`, this.weight)
    }
    return {
      type: this.type,
      activationFn: this.activationFn,
      weight: this.weight && [...this.weight],
      labelSmoothing: this.labelSmoothing,
    }
  }
}
