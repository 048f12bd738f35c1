import type { Embeddings } from '../../models/embeddings.js'
import type { MaxSimName } from '../../models/multi-vector/folder.js'
import type { TokenEmbeddings } from '../../models/token-embeddings.js'
import type { EvaluationContext, EvaluationResult } from '../evaluator.js'
import { RerankingEvaluator, type RerankingEvaluatorOptions } from '../reranking.js'
import { SentenceEvaluator } from '../sentence-evaluator.js'
import { asEvaluated, checkTokenOptions, type EvaluatedMultiVectorModel, type NotOfTokens, tokenKind } from './model.js'

/** `batchSize` is 16 unless given; the CSV file is `RerankingEvaluator_{name}_results_@{k}.csv`. */
export interface MultiVectorRerankingEvaluatorOptions
  extends Omit<RerankingEvaluatorOptions, NotOfTokens | 'similarityFct'> {
  /** The score that ranks documents: a similarity, or a function that gives [1, documents]. Default: the model's similarity. */
  similarityFct?:
    | MaxSimName
    | ((
        query: TokenEmbeddings,
        documents: TokenEmbeddings,
      ) => Pick<Embeddings, 'data'> | Promise<Pick<Embeddings, 'data'>>)
}

/**
 * {@link RerankingEvaluator} of a multi-vector model, as the second stage of a search.
 * Source: sentence-transformers `MultiVectorRerankingEvaluator`.
 *
 * @throws ERR_INVALID_ARGUMENT (also during evaluation: a model that is no MultiVectorEncoder), ERR_UNKNOWN_OPTION, ERR_INVALID_DATA
 */
export class MultiVectorRerankingEvaluator extends SentenceEvaluator<EvaluatedMultiVectorModel> {
  override readonly name: string
  /** One for each similarity. */
  readonly #inner: (similarity: MaxSimName) => RerankingEvaluator

  constructor(options: MultiVectorRerankingEvaluatorOptions) {
    super()
    const where = 'MultiVectorRerankingEvaluator'
    checkTokenOptions(where, options)
    const make = (similarityFct: MaxSimName) =>
      new RerankingEvaluator(
        { batchSize: 16, similarityFct, ...withoutUndefined(options) } as unknown as RerankingEvaluatorOptions,
        tokenKind(where),
      )
    // Both are made here, so that they have the data of this moment.
    const made = { maxsim: make('maxsim'), meanmaxsim: make('meanmaxsim') }
    this.#inner = (similarity) => made[similarity]
    this.name = made.maxsim.name
  }

  async evaluate(model: EvaluatedMultiVectorModel, context: EvaluationContext = {}): Promise<EvaluationResult> {
    return this.#inner(model.similarityFnName).evaluate(asEvaluated(model), context)
  }
}

function withoutUndefined(options: object): object {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}
