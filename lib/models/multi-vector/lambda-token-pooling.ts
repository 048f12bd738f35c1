import { invalidArgument } from '../../errors.js'
import { checkOptions, listOfNames } from '../../options.js'
import { asEmbeddings, type Embeddings } from '../embeddings.js'
import type { Task } from '../modules/multi-vector-mask.js'
import { TokenEmbeddings } from '../token-embeddings.js'

/** From the vectors of one text, [tokens, dimension], to those that it is to have. */
export type PoolFunction = (vectors: Embeddings) => Pick<Embeddings, 'data' | 'shape'>

/**
 * Fewer vectors of a text, as a function of the caller's makes them: an option of `encode` (`tokenPooling`). It is no module of a
 * model, since it could not be saved.
 *
 * ```ts
 * const first = new LambdaTokenPooling((vectors) => ({ data: vectors.row(0), shape: [1, vectors.shape[1]] }))
 * const one = await model.encodeDocument(texts, { tokenPooling: first })
 * ```
 * Source: sentence-transformers `LambdaTokenPooling`.
 */
export class LambdaTokenPooling {
  readonly tasks: readonly string[]
  readonly #pool: PoolFunction

  /**
   * @param options.tasks which texts are pooled; texts without a task count as documents. Default `['document']`
   * @throws SentenceTorchError ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
   */
  constructor(poolFn: PoolFunction, options: { tasks?: Task | readonly Task[] } = {}) {
    if (typeof poolFn !== 'function') throw invalidArgument('poolFn', 'a function', poolFn)
    checkOptions('LambdaTokenPooling', options, ['tasks'])
    this.#pool = poolFn
    this.tasks = [...listOfNames('tasks', options.tasks ?? ['document'])]
  }

  /** Whether it pools texts of a task. */
  appliesTo(task: Task | undefined): boolean {
    return this.tasks.includes(task ?? 'document')
  }

  /** The vectors that the function makes of those of each text. @throws ERR_INVALID_ARGUMENT for what are no vectors */
  pool(vectors: TokenEmbeddings): TokenEmbeddings {
    const rows = [...vectors].map((row, i) => asEmbeddings(this.#pool(row), `what poolFn made of text ${i}`))
    return TokenEmbeddings.fromRows(rows, vectors.dimension)
  }
}
