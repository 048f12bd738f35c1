import { SentenceTorchError } from '../../errors.js'
import type { ConfigObject } from '../../native/types.js'
import { checkInteger, checkOptions, checkType, listOfNames } from '../../options.js'
import { isTrue } from '../json.js'
import type { ModelModule, ModuleInput, PlacedModule } from './module.js'
import type { Task } from './multi-vector-mask.js'

export interface HierarchicalTokenPoolingOptions {
  /** About one vector in so many is kept: at least 1. Default 1, which joins none. */
  poolFactor?: number
  /** Vectors at the start of a text that are kept as they are, such as that of `[CLS]`. Default 1. */
  numProtectedTokens?: number
  /** Whether all vectors that come out have length 1. Default true. */
  normalizeEmbeddings?: boolean
  /** Which texts are pooled; texts without a task count as documents. Default `['document']`. */
  tasks?: Task | readonly Task[]
}

const NAMES = ['poolFactor', 'numProtectedTokens', 'normalizeEmbeddings', 'tasks']

/**
 * Fewer vectors of a text: Ward's clustering by cosine distance joins those that are alike, and each cluster becomes its mean.
 * A module behind `Normalize`, or an option of `encode` (`tokenPooling`).
 *
 * ```ts
 * new HierarchicalTokenPooling({ poolFactor: 2 })
 * ```
 * Source: sentence-transformers `HierarchicalTokenPooling`.
 */
export class HierarchicalTokenPooling implements ModelModule {
  static readonly hasWeights = false
  static readonly needsConfig = true
  readonly poolFactor: number
  readonly numProtectedTokens: number
  readonly normalizeEmbeddings: boolean
  readonly tasks: readonly string[]

  /** @throws SentenceTorchError ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION */
  constructor(options: HierarchicalTokenPoolingOptions = {}) {
    checkOptions('HierarchicalTokenPooling', options, NAMES)
    const { poolFactor = 1, numProtectedTokens = 1, normalizeEmbeddings = true, tasks = ['document'] } = options
    if (!Number.isFinite(poolFactor) || poolFactor < 1) {
      const message = `Expected a number of at least 1 for poolFactor but received ${poolFactor}`
      throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
    }
    checkInteger('numProtectedTokens', numProtectedTokens, 0)
    checkType('normalizeEmbeddings', normalizeEmbeddings, 'boolean')
    this.poolFactor = poolFactor
    this.numProtectedTokens = numProtectedTokens
    this.normalizeEmbeddings = normalizeEmbeddings
    this.tasks = [...listOfNames('tasks', tasks)]
  }

  /** @internal Folders without `normalize_embeddings` are older than it: their vectors are left as they are. */
  static read(config: ConfigObject, file: string): { module: HierarchicalTokenPooling; extra: ConfigObject } {
    const { pool_factor, num_protected_tokens, normalize_embeddings, tasks, ...extra } = config
    try {
      const module = new HierarchicalTokenPooling({
        poolFactor: (pool_factor ?? undefined) as number,
        numProtectedTokens: (num_protected_tokens ?? undefined) as number,
        normalizeEmbeddings: isTrue(normalize_embeddings),
        tasks: (tasks ?? undefined) as Task[],
      })
      return { module, extra }
    } catch (cause) {
      throw new SentenceTorchError('ERR_INVALID_MODEL', `${file}: ${(cause as Error).message}`, { cause })
    }
  }

  /** Whether it pools texts of a task. */
  appliesTo(task: Task | undefined): boolean {
    return this.tasks.includes(task ?? 'document')
  }

  /** @internal */
  place({ width }: ModuleInput): PlacedModule {
    const { poolFactor, numProtectedTokens, normalizeEmbeddings } = this
    const config = {
      pool_factor: poolFactor,
      num_protected_tokens: numProtectedTokens,
      normalize_embeddings: normalizeEmbeddings,
      tasks: [...this.tasks],
    }
    const spec = {
      ...{ type: 'HierarchicalTokenPooling', poolFactor, numProtectedTokens, normalizeEmbeddings },
      ...{ poolsQueries: this.appliesTo('query'), poolsDocuments: this.appliesTo('document') },
    }
    return { spec, outputDimension: width, config, shown: config }
  }
}
