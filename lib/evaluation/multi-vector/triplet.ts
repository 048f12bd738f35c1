import type { MaxSimName } from '../../models/multi-vector/folder.js'
import type { EvaluationContext, EvaluationResult } from '../evaluator.js'
import { SentenceEvaluator } from '../sentence-evaluator.js'
import { TripletEvaluator, type TripletEvaluatorOptions } from '../triplet.js'
import { asEvaluated, checkTokenOptions, type EvaluatedMultiVectorModel, type NotOfTokens, tokenKind } from './model.js'

type Changed = NotOfTokens | 'mainSimilarity' | 'similarityFnNames' | 'margin'

/** `batchSize` is 16 unless given; the CSV file is `triplet_evaluation_{name}_results.csv`. */
export interface MultiVectorTripletEvaluatorOptions extends Omit<TripletEvaluatorOptions, Changed> {
  /** The similarity of the primary metric. The only one that is measured when `similarityFnNames` is absent. */
  mainSimilarity?: MaxSimName
  /** The similarities to measure. Default: the model's own. */
  similarityFnNames?: MaxSimName | readonly MaxSimName[]
  /** Margin by which the positive must be more similar than the negative, for both similarities or by name. Default 0. */
  margin?: number | Partial<Record<MaxSimName, number>>
}

/**
 * {@link TripletEvaluator} of a multi-vector model: late interaction in place of a cosine.
 *
 * Metrics: `{fn}_accuracy` with `maxsim`, `meanmaxsim`; `max_accuracy` if there are both.
 * Source: sentence-transformers `MultiVectorTripletEvaluator`.
 *
 * @throws ERR_INVALID_ARGUMENT (also during evaluation: a model that is no MultiVectorEncoder), ERR_UNKNOWN_OPTION, ERR_INVALID_DATA
 */
export class MultiVectorTripletEvaluator extends SentenceEvaluator<EvaluatedMultiVectorModel> {
  override readonly name: string
  readonly #inner: TripletEvaluator

  constructor(options: MultiVectorTripletEvaluatorOptions) {
    super()
    const where = 'MultiVectorTripletEvaluator'
    checkTokenOptions(where, options)
    this.#inner = new TripletEvaluator(options as TripletEvaluatorOptions, tokenKind(where))
    this.name = this.#inner.name
  }

  async evaluate(model: EvaluatedMultiVectorModel, context: EvaluationContext = {}): Promise<EvaluationResult> {
    return this.#inner.evaluate(asEvaluated(model), context)
  }
}
