import type { MaxSimName } from '../../models/multi-vector/folder.js'
import type { EvaluationContext, EvaluationResult } from '../evaluator.js'
import { InformationRetrievalEvaluator, type InformationRetrievalEvaluatorOptions } from '../information-retrieval.js'
import { SentenceEvaluator } from '../sentence-evaluator.js'
import { asEvaluated, checkTokenOptions, type EvaluatedMultiVectorModel, type NotOfTokens, tokenKind } from './model.js'

/** `batchSize` is 32 unless given; the CSV file is `Information-Retrieval_evaluation_{name}_results.csv`. */
export interface MultiVectorInformationRetrievalEvaluatorOptions
  extends Omit<InformationRetrievalEvaluatorOptions, NotOfTokens | 'scoreFunctions'> {
  /** Scores to measure, by name. Default: the model's own. */
  scoreFunctions?: Readonly<Record<string, MaxSimName>>
}

/**
 * {@link InformationRetrievalEvaluator} of a multi-vector model: every document is compared by late interaction. `corpusChunkSize` is
 * 5,000 unless given. No scores of pairs of tokens are kept, so there is no `chunkElements`.
 *
 * Metrics: `maxsim_…` or `meanmaxsim_…`. Source: sentence-transformers `MultiVectorInformationRetrievalEvaluator`.
 *
 * @throws ERR_INVALID_ARGUMENT (also during evaluation: a model that is no MultiVectorEncoder), ERR_UNKNOWN_OPTION, ERR_INVALID_DATA
 */
export class MultiVectorInformationRetrievalEvaluator extends SentenceEvaluator<EvaluatedMultiVectorModel> {
  override readonly name: string
  readonly #inner: InformationRetrievalEvaluator

  constructor(options: MultiVectorInformationRetrievalEvaluatorOptions) {
    super()
    const where = 'MultiVectorInformationRetrievalEvaluator'
    checkTokenOptions(where, options)
    const given = { ...options, corpusChunkSize: options.corpusChunkSize ?? 5000 }
    this.#inner = new InformationRetrievalEvaluator(given as InformationRetrievalEvaluatorOptions, tokenKind(where))
    this.name = this.#inner.name
  }

  /** Number of evaluated queries, and of searched documents. */
  get size(): { queries: number; corpus: number } {
    return this.#inner.size
  }

  async evaluate(model: EvaluatedMultiVectorModel, context: EvaluationContext = {}): Promise<EvaluationResult> {
    return this.#inner.evaluate(asEvaluated(model), context)
  }
}
