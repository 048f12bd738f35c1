import type { MaxSimName } from '../../models/multi-vector/folder.js'
import type { EvaluationContext, EvaluationResult } from '../evaluator.js'
import { InformationRetrievalEvaluator } from '../information-retrieval.js'
import { NanoBEIREvaluator, type NanoBEIREvaluatorOptions } from '../nano-beir.js'
import { SentenceEvaluator } from '../sentence-evaluator.js'
import { asEvaluated, checkTokenOptions, type EvaluatedMultiVectorModel, type NotOfTokens, tokenKind } from './model.js'

/** `batchSize` is 32 unless given; the CSV file is `NanoBEIR_evaluation_{aggregateKey}_results.csv`. */
export interface MultiVectorNanoBEIREvaluatorOptions
  extends Omit<NanoBEIREvaluatorOptions, NotOfTokens | 'scoreFunctions'> {
  /** Scores to measure, by name. Default: the model's own. */
  scoreFunctions?: Readonly<Record<string, MaxSimName>>
}

/**
 * {@link NanoBEIREvaluator} of a multi-vector model, from the hub or from local folders. `corpusChunkSize` is 5,000 unless given.
 * Source: sentence-transformers `MultiVectorNanoBEIREvaluator`.
 *
 * @throws as `NanoBEIREvaluator`; ERR_INVALID_ARGUMENT during evaluation for a model that is no MultiVectorEncoder
 */
export class MultiVectorNanoBEIREvaluator extends SentenceEvaluator<EvaluatedMultiVectorModel> {
  override readonly name: string
  readonly #inner: NanoBEIREvaluator

  constructor(options: MultiVectorNanoBEIREvaluatorOptions = {}) {
    super()
    const where = 'MultiVectorNanoBEIREvaluator'
    checkTokenOptions(where, options)
    const kind = tokenKind(where)
    const given = { ...options, corpusChunkSize: options.corpusChunkSize ?? 5000 }
    this.#inner = new NanoBEIREvaluator(given as NanoBEIREvaluatorOptions, {
      ...kind,
      suffix: '',
      retrieval: (set) => new InformationRetrievalEvaluator(set, kind),
    })
    this.name = this.#inner.name
  }

  async evaluate(model: EvaluatedMultiVectorModel, context: EvaluationContext = {}): Promise<EvaluationResult> {
    return this.#inner.evaluate(asEvaluated(model), context)
  }
}
