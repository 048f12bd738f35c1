import { invalidArgument } from '../errors.js'
import type { LossSpec } from '../native/types.js'
import { checkInteger, checkType } from '../options.js'
import { type LossArguments, lossOptions } from './arguments.js'
import type { Loss, LossRequirements } from './loss.js'

export interface SoftmaxLossOptions {
  /** Number of classes; labels are 0 … numLabels − 1, or numLabels probabilities. */
  numLabels: number
  /** Width of the model's embeddings, for those who name it as in Python: the classifier's is the model's in any case. */
  sentenceEmbeddingDimension?: number
  /** Give the classifier u and v. Default true. */
  concatenationSentRep?: boolean
  /** Give it |u − v|. Default true. */
  concatenationSentDifference?: boolean
  /** Give it u ∗ v. Default false. */
  concatenationSentMultiplication?: boolean
}

/**
 * A linear classifier over both embeddings of a pair: how the first SBERT models were trained on natural-language
 * inference.
 *
 * - **Data**: (text_a, text_b) and a whole-number label 0 … numLabels − 1, or the probability of each class: an array of
 *   numLabels numbers that are not negative and sum to 1, such as a teacher's.
 * - **Formula**: cross-entropy of W · [u; v; |u − v|; u ∗ v] + b with the label, of the parts that are switched on.
 * - **Parameters**: the loss owns W and b (`classifier.weight`, `classifier.bias`). Their gradients are zeroed and clipped
 *   with the model's own (the reference does not clip them). The model does not keep them: they are in `lossTensors` of the
 *   trainer's result and in `loss.safetensors` of every checkpoint, and the trainer's option `lossTensors` takes both.
 * - **Relations**: {@link MultipleNegativesRankingLoss} on (premise, entailment, contradiction) triples gives better
 *   embeddings from the same data.
 *
 * Paper: Reimers and Gurevych 2019, https://arxiv.org/abs/1908.10084. Source: sentence-transformers
 * `losses/SoftmaxLoss`.
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
    const flags = ['concatenationSentRep', 'concatenationSentDifference', 'concatenationSentMultiplication'] as const
    const options = lossOptions<SoftmaxLossOptions>(this, args, ['numLabels', 'sentenceEmbeddingDimension', ...flags], {
      lossFct: { harmless: ['cross_entropy'] },
    })
    if (!Number.isInteger(options.numLabels) || options.numLabels < 2) {
      throw invalidArgument(`${this.type} numLabels`, 'a whole number of at least 2', options.numLabels)
    }
    for (const name of flags) checkType(`${this.type} ${name}`, options[name], 'boolean')
    checkInteger(`${this.type} sentenceEmbeddingDimension`, options.sentenceEmbeddingDimension, 1)
    this.numLabels = options.numLabels
    this.sentenceEmbeddingDimension = options.sentenceEmbeddingDimension
    this.concatenationSentRep = options.concatenationSentRep ?? true
    this.concatenationSentDifference = options.concatenationSentDifference ?? true
    this.concatenationSentMultiplication = options.concatenationSentMultiplication ?? false
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
