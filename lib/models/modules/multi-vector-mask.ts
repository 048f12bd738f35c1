import { describe, SentenceTorchError } from '../../errors.js'
import type { ConfigObject } from '../../native/types.js'
import { checkOptions, listOfNames } from '../../options.js'
import type { ModelModule, ModuleInput, PlacedModule } from './module.js'

/** What a text is encoded for: modules treat queries and documents apart. */
export type Task = 'query' | 'document'

export interface MultiVectorMaskOptions {
  /** Tokens whose vectors are left out, such as punctuation. Default none. */
  skiplistWords?: readonly string[]
  /** Of which texts these are left out; texts without a task count as documents. Default `['document']`. */
  skiplistTasks?: Task | readonly Task[]
  /** Ids of the only tokens that count in documents. Default null: all. */
  keepOnlyTokenIds?: readonly number[] | null
}

const NAMES = ['skiplistWords', 'skiplistTasks', 'keepOnlyTokenIds']

/**
 * Which tokens of a text have a vector: not those of the skip list, and of a query also those that expand it.
 *
 * ```ts
 * new MultiVectorMask({ skiplistWords: ['.', ',', '!', '?'] })
 * ```
 * Source: sentence-transformers `MultiVectorMask`.
 */
export class MultiVectorMask implements ModelModule {
  static readonly hasWeights = false
  static readonly needsConfig = true
  readonly #config: { skiplist_words: string[]; skiplist_tasks: string[]; keep_only_token_ids: number[] | null }

  /** @throws SentenceTorchError ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION */
  constructor(options: MultiVectorMaskOptions = {}) {
    checkOptions('MultiVectorMask', options, NAMES)
    const { skiplistWords = [], skiplistTasks = ['document'], keepOnlyTokenIds = null } = options
    const ids = [...(keepOnlyTokenIds ?? [])]
    const wrong = ids.findIndex((id) => !Number.isInteger(id) || id < 0)
    if (wrong !== -1) {
      const message = `Expected token ids for keepOnlyTokenIds but received ${describe(ids[wrong])}`
      throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
    }
    this.#config = {
      skiplist_words: [...listOfNames('skiplistWords', skiplistWords)],
      skiplist_tasks: [...listOfNames('skiplistTasks', skiplistTasks)],
      keep_only_token_ids: keepOnlyTokenIds === null ? null : ids,
    }
  }

  /** @internal */
  static read(config: ConfigObject, file: string): { module: MultiVectorMask; extra: ConfigObject } {
    const { skiplist_words, skiplist_tasks, keep_only_token_ids, ...extra } = config
    try {
      const module = new MultiVectorMask({
        skiplistWords: (skiplist_words ?? undefined) as string[],
        skiplistTasks: (skiplist_tasks ?? undefined) as Task[],
        keepOnlyTokenIds: (keep_only_token_ids ?? null) as number[] | null,
      })
      return { module, extra }
    } catch (cause) {
      throw new SentenceTorchError('ERR_INVALID_MODEL', `${file}: ${(cause as Error).message}`, { cause })
    }
  }

  /** @internal The ids of the skip list are those of the model's tokenizer, which is made later: `withSkippedIds`. */
  place({ width }: ModuleInput): PlacedModule {
    const { skiplist_tasks: tasks, keep_only_token_ids: kept } = this.#config
    const spec = {
      ...{ type: 'MultiVectorMask', skipIds: [], keepIds: kept ?? [] },
      ...{ skipsQueries: tasks.includes('query'), skipsDocuments: tasks.includes('document') },
    }
    return { spec, outputDimension: width, config: this.#config, shown: this.#config }
  }
}
