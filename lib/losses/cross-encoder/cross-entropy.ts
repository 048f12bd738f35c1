import { invalidArgument } from '../../errors.js'
import type { LossSpec } from '../../native/types.js'
import type { LossRequirements } from '../loss.js'
import {
  type CrossEncoderLoss,
  checkActivation,
  type LogitActivation,
  type LogitOptions,
  type PairLossArguments,
  pairLossOptions,
} from './loss.js'

export interface CrossEntropyLossOptions extends LogitOptions {
  /** A weight for each class. Default: 1 each. */
  weight?: readonly number[] | null
  /** Share of the target that all classes divide among them. Default 0. */
  labelSmoothing?: number
}

/**
 * A pair belongs to one of several classes. The default loss for models with several labels.
 *
 * - **Data**: (text_a, text_b) and a whole-number label from 0 to the model's `numLabels` − 1: entailment, neutral,
 *   contradiction; or the probability of each class, numLabels numbers that are not negative and sum to 1.
 * - **Formula**: mean of −log softmax(logits)_y; with probabilities of −Σ_c y_c · log softmax(logits)_c.
 *
 * Source: sentence-transformers `cross_encoder/losses/CrossEntropyLoss`.
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
    const options = pairLossOptions<CrossEntropyLossOptions>(this, args, ['activationFn', 'weight', 'labelSmoothing'], {
      ignoreIndex: { harmless: [-100] },
      reduction: { harmless: ['mean'] },
    })
    this.activationFn = checkActivation(this.type, options.activationFn)
    this.weight = options.weight ? [...options.weight] : null
    this.labelSmoothing = options.labelSmoothing ?? 0
    if (this.weight?.some((value) => !(Number.isFinite(value) && value >= 0))) {
      throw invalidArgument(`${this.type} weight`, 'numbers of at least 0', this.weight)
    }
    if (!(this.labelSmoothing >= 0 && this.labelSmoothing <= 1)) {
      throw invalidArgument(`${this.type} labelSmoothing`, 'a number from 0 to 1', this.labelSmoothing)
    }
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
