import { TextClassifier } from '../classification/text-classifier.js'
import { invalidArgument, SentenceTorchError } from '../errors.js'
import { CrossEncoder } from '../models/cross-encoder.js'
import { MultiVectorEncoder } from '../models/multi-vector-encoder.js'
import { SentenceTransformer } from '../models/sentence-transformer.js'
import { SparseEncoder } from '../models/sparse-encoder.js'
import { checkOptions, checkType } from '../options.js'

/** What can be served. */
export type AnyModel = SentenceTransformer | SparseEncoder | MultiVectorEncoder | CrossEncoder | TextClassifier

/**
 * What a model does: `embedding`; `sparse` embeddings; `multi-vector`, an embedding for each token; `reranker`, with one score a pair;
 * `classifier`, with a score for each label.
 */
export type ModelTask = 'embedding' | 'sparse' | 'multi-vector' | 'reranker' | 'classifier'

export interface VersionOptions {
  /** Its name in `/info` and in the header `x-model-version`. Default: one more than the last number, from 1 on. */
  version?: string
}

/** One version of a model that serves a request. */
export interface Lease {
  readonly name: string
  readonly model: AnyModel
  readonly version: string
  /** To be called when the request has its answer. */
  release(): void
}

interface Version {
  readonly model: AnyModel
  readonly version: string
  users: number
  /** Set while it waits for its last user. */
  whenUnused?: () => void
}

/**
 * A model under a name, in a version that can be replaced while requests are answered. A request is answered by one version from its
 * beginning to its end.
 *
 * ```ts
 * const served = new ServedModel(model)                        // version '1'
 * const handler = createHandler({ models: { minilm: served } })
 * await served.swap(better, { version: '2026-12' })            // new requests meet it at once
 * await model.dispose()                                        // the old one has no request any more
 * ```
 */
export class ServedModel {
  #current: Version
  #number = 1

  /** @throws ERR_INVALID_ARGUMENT for what is no model, or is a classifier without a head */
  constructor(model: AnyModel, options: VersionOptions = {}) {
    this.#current = { model: checkedModel(model), version: checkedVersion(options) ?? '1', users: 0 }
    this.#count()
  }

  /** The model that answers new requests. */
  get model(): AnyModel {
    return this.#current.model
  }

  get version(): string {
    return this.#current.version
  }

  get task(): ModelTask {
    return taskOf(this.#current.model)
  }

  /**
   * Puts another model in the place of this one: requests that begin from now on meet it.
   * @returns when no request uses the old model any more, which may be disposed then
   * @throws ERR_INVALID_ARGUMENT for a model with another task
   */
  async swap(model: AnyModel, options: VersionOptions = {}): Promise<void> {
    const version = checkedVersion(options)
    const [found, expected] = [taskOf(checkedModel(model)), this.task]
    if (found !== expected) throw invalidArgument('model', `a model for ${expected}`, `one for ${found}`)
    const old = this.#current
    this.#current = { model, version: version ?? String(this.#number + 1), users: 0 }
    this.#count()
    if (old.users === 0) return
    await new Promise<void>((resolve) => {
      old.whenUnused = resolve
    })
  }

  /** A name is not used twice, also where the caller has given it. */
  #count(): void {
    const { version } = this.#current
    if (/^\d{1,15}$/.test(version)) this.#number = Math.max(this.#number, Number(version))
  }

  /** @internal The present version, for one request. */
  lease(name: string): Lease {
    const current = this.#current
    current.users++
    let isHeld = true
    return {
      name,
      model: current.model,
      version: current.version,
      release() {
        if (!isHeld) return
        isHeld = false
        if (--current.users === 0) current.whenUnused?.()
      },
    }
  }
}

export function taskOf(model: AnyModel): ModelTask {
  if (model instanceof SentenceTransformer) return 'embedding'
  if (model instanceof SparseEncoder) return 'sparse'
  if (model instanceof MultiVectorEncoder) return 'multi-vector'
  return model instanceof CrossEncoder && model.numLabels === 1 ? 'reranker' : 'classifier'
}

/** The transformer of a model. */
export function transformerOf(model: AnyModel): Exclude<AnyModel, TextClassifier> {
  return model instanceof TextClassifier ? model.model : model
}

function checkedModel(model: unknown): AnyModel {
  if (model instanceof TextClassifier) {
    if (model.labels.length > 0) return model
    throw new SentenceTorchError(
      'ERR_INVALID_ARGUMENT',
      'A classifier is served with its head: call fit or fitHead first',
    )
  }
  const kinds = [SentenceTransformer, SparseEncoder, MultiVectorEncoder, CrossEncoder]
  if (kinds.some((kind) => model instanceof kind)) return model as AnyModel
  throw invalidArgument('model', `a ${kinds.map(({ name }) => name).join(', a ')} or a TextClassifier`, model)
}

function checkedVersion(options: VersionOptions): string | undefined {
  checkOptions('ServedModel', options, ['version'])
  checkType('version', options.version, 'string')
  if (options.version !== undefined && !/^[\x21-\x7e]{1,200}$/.test(options.version)) {
    throw invalidArgument('version', 'at most 200 printable ASCII characters without spaces', options.version)
  }
  return options.version
}
