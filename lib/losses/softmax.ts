import { invalidArgument } from '../errors.js'
import type { LossSpec } from '../native/types.js'
import { flag, integer, needed, type OptionTable, option } from '../options/kinds.js'
import { type LossArguments, lossOptions } from './arguments.js'
import type { Loss, LossRequirements } from './loss.js'

export interface SoftmaxLossOptions {
  /** Number of classes. Labels are 0 … numLabels − 1, or numLabels probabilities. */
  numLabels: number
  /** Width of the model's embeddings, for callers who name it as in Python. It has to be the model's. */
  sentenceEmbeddingDimension?: number
  /** Give the classifier u and v. Default `true`. */
  concatenationSentRep?: boolean
  /** Give it |u − v|. Default `true`. */
  concatenationSentDifference?: boolean
  /** Give it u ∗ v. Default `false`. */
  concatenationSentMultiplication?: boolean
}

export const OPTIONS = {
  numLabels: needed(
    option<number, undefined>({
      type: 'number',
      default: undefined,
      expected: 'a whole number of at least 2',
      fits: (value) => Number.isInteger(value) && (value as number) >= 2,
    }),
  ),
  sentenceEmbeddingDimension: integer(undefined, { least: 1 }),
  concatenationSentRep: flag(true),
  concatenationSentDifference: flag(true),
  concatenationSentMultiplication: flag(false),
} satisfies OptionTable<SoftmaxLossOptions>

export const NOT_BUILT = { lossFct: { harmless: ['cross_entropy'] } }

/**
 * A linear classifier over both embeddings of a pair. The first SBERT models were trained this way on natural-language
 * inference.
 *
 * - **Data**: (text_a, text_b) and a whole number from 0 to numLabels − 1, or the probability of each class: an array of
 *   numLabels numbers that are not negative and sum to 1, such as those of a teacher.
 * - **Formula**: cross-entropy of W · [u; v; |u − v|; u ∗ v] + b with the label, of the parts that are switched on.
 * - **Parameters**: The loss owns W and b: `classifier.weight` and `classifier.bias`. Their gradients are zeroed and clipped with
 *   the model's own; the reference does not clip them. The model does not keep them. They are in `lossTensors` of the
 *   trainer's result and in `loss.safetensors` of every checkpoint. The trainer's option `lossTensors` takes both.
 * - **Relations**: {@link MultipleNegativesRankingLoss} on (premise, entailment, contradiction) gives better embeddings from the
 *   same data.
 *
 * Paper: Reimers and Gurevych 2019, https://arxiv.org/abs/1908.10084. Source: sentence-transformers
 * `losses/SoftmaxLoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([
 *   { premise: 'A cat sits outside.', hypothesis: 'An animal is outside.', label: 0 },
 *   { premise: 'A cat sits outside.', hypothesis: 'The cat is asleep.', label: 2 },
 * ])
 * const loss = new losses.SoftmaxLoss({ numLabels: 3 })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_NOT_IMPLEMENTED (`lossFct` other than `cross_entropy`); when training
 *   begins, ERR_INVALID_ARGUMENT for a `sentenceEmbeddingDimension` other than the model's
 */
export class SoftmaxLoss implements Loss {
  readonly type = 'SoftmaxLoss'
  readonly requirements: LossRequirements
  readonly numLabels: number
  readonly sentenceEmbeddingDimension: number | undefined
  readonly concatenationSentRep: boolean
  readonly concatenationSentDifference: boolean
  readonly concatenationSentMultiplication: boolean

  constructor(...args: LossArguments<SoftmaxLossOptions>) {
    const options = lossOptions(this, args, OPTIONS, { notBuilt: NOT_BUILT })
    this.numLabels = options.numLabels
    this.sentenceEmbeddingDimension = options.sentenceEmbeddingDimension
    this.concatenationSentRep = options.concatenationSentRep
    this.concatenationSentDifference = options.concatenationSentDifference
    this.concatenationSentMultiplication = options.concatenationSentMultiplication
    if (!this.concatenationSentRep && !this.concatenationSentDifference && !this.concatenationSentMultiplication) {
      throw invalidArgument(`${this.type}`, 'at least one of the three concatenations', 'none')
    }
    this.requirements = { minColumns: 2, maxColumns: 2, labels: 'int', numLabels: this.numLabels, probabilities: true }
  }

  spec(embeddingDimension: number): LossSpec {
    const given = this.sentenceEmbeddingDimension
    if (given !== undefined && given !== embeddingDimension) {
      throw invalidArgument(
        `${this.type} sentenceEmbeddingDimension`,
        `the model's width, ${embeddingDimension},`,
        given,
      )
    }
    return {
      type: this.type,
      numLabels: this.numLabels,
      concatenationSentRep: this.concatenationSentRep,
      concatenationSentDifference: this.concatenationSentDifference,
      concatenationSentMultiplication: this.concatenationSentMultiplication,
    }
  }
}
