/**
 * sentence-torch/llamaindex: an embedding and a reranker for LlamaIndex.TS. See docs/integrations.md.
 */
import { invalidArgument } from '../errors.js'
import type { CrossEncoder } from '../models/cross-encoder.js'
import type { SentenceTransformer } from '../models/sentence-transformer.js'
import { checkInteger, checkOptions } from '../options.js'
import { importPeer } from './peer.js'
import {
  arraysOf,
  checkEmbedder,
  checkReranker,
  EMBED_OPTIONS,
  type EmbedOptions,
  type RerankOptions,
  rerank,
} from './shared.js'

export type { EmbedOptions, RerankOptions } from './shared.js'

export interface LlamaIndexOptions extends EmbedOptions {
  /** Texts that LlamaIndex hands over at once. Default 512. */
  embedBatchSize?: number
}

/** What a node has in LlamaIndex. */
export interface LlamaIndexNode {
  embedding: number[] | undefined
  // biome-ignore lint/suspicious/noExplicitAny: LlamaIndex has an enumeration there, and a narrower type would refuse its nodes.
  getContent(metadataMode: any): string
}

/** `BaseEmbedding` of @llamaindex/core: also a function, that puts embeddings into nodes (a step of an `IngestionPipeline`). */
export interface LlamaIndexEmbedding {
  <N extends LlamaIndexNode>(nodes: N[]): Promise<N[]>
  readonly id: string
  embedBatchSize: number
  embedInfo?: { dimensions?: number; maxTokens?: number }
  similarity(embedding1: number[], embedding2: number[]): number
  getTextEmbedding(text: string): Promise<number[]>
  getTextEmbeddings: (texts: string[]) => Promise<number[][]>
  getTextEmbeddingsBatch(texts: string[]): Promise<number[][]>
  getQueryEmbedding(query: LlamaIndexQuery): Promise<number[] | null>
  truncateMaxTokens(input: string[]): string[]
}

/** A part of a message: a text, an image and so on. */
export type LlamaIndexQuery = { type: string; text?: string; [member: string]: unknown } | string

/**
 * An embedding for `Settings.embedModel`, for indexes and for ingestion pipelines. Texts get the model's prompt `document`, `passage` or
 * `corpus`, and queries its prompt `query`.
 *
 * ```ts
 * Settings.embedModel = await sentenceTorchEmbedding(model)
 * ```
 * @returns an instance of `BaseEmbedding`, which is LlamaIndex's own class: the package must be installed
 * @throws SentenceTorchError ERR_NOT_FOUND without @llamaindex/core; ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export async function sentenceTorchEmbedding(
  model: SentenceTransformer,
  options: LlamaIndexOptions = {},
): Promise<LlamaIndexEmbedding> {
  checkEmbedder(model)
  checkOptions('sentenceTorchEmbedding', options, [...EMBED_OPTIONS, 'embedBatchSize'])
  checkInteger('embedBatchSize', options.embedBatchSize, 1)
  const { embedBatchSize = 512, ...embed } = options
  const { BaseEmbedding } = await importPeer(
    () => import('@llamaindex/core/embeddings'),
    '@llamaindex/core',
    'sentenceTorchEmbedding',
  )
  class SentenceTorchEmbedding extends BaseEmbedding {
    constructor() {
      super()
      this.embedBatchSize = embedBatchSize
      this.embedInfo = { dimensions: model.embeddingDimension, maxTokens: model.maxSeqLength }
      this.getTextEmbeddings = async (texts) => arraysOf(await model.encodeDocument(texts, embed))
    }

    async getTextEmbedding(text: string): Promise<number[]> {
      return Array.from(await model.encodeDocument(text, embed))
    }

    async getQueryEmbedding(query: LlamaIndexQuery): Promise<number[] | null> {
      const text = typeof query === 'string' ? query : query.text
      // As LlamaIndex itself answers for an image.
      return typeof text === 'string' ? Array.from(await model.encodeQuery(text, embed)) : null
    }
  }
  return new SentenceTorchEmbedding() as unknown as LlamaIndexEmbedding
}

/** A node and its score. */
export interface LlamaIndexHit {
  node: LlamaIndexNode
  score?: number | undefined
}

/** A message, or a query with its text. */
export type LlamaIndexMessage = string | readonly LlamaIndexQuery[] | { query: LlamaIndexMessage }

/**
 * `BaseNodePostprocessor` of @llamaindex/core over a cross-encoder: keeps the nodes that answer a query best, best first, with its scores.
 * A node's text is that which would be embedded, with its metadata.
 *
 * Source: llama_index `SentenceTransformerRerank`.
 */
export class SentenceTorchRerank {
  readonly model: CrossEncoder
  readonly #options: RerankOptions

  /** @throws SentenceTorchError ERR_INVALID_ARGUMENT (a model with several labels among others), ERR_UNKNOWN_OPTION */
  constructor(model: CrossEncoder, options: RerankOptions = {}) {
    checkReranker('SentenceTorchRerank', model, options)
    this.model = model
    this.#options = { ...options }
  }

  /** @throws SentenceTorchError ERR_INVALID_ARGUMENT without a text to compare with; as `CrossEncoder.rank` */
  async postprocessNodes<H extends LlamaIndexHit>(nodes: readonly H[], query?: LlamaIndexMessage): Promise<H[]> {
    const text = textOf(query)
    if (text === undefined) throw invalidArgument('query', 'a text, to which the nodes are compared', query)
    const contents = nodes.map(({ node }) => node.getContent('EMBED'))
    const ranked = await rerank(this.model, text, contents, this.#options)
    return ranked.map(({ corpusId, score }) => ({ ...nodes[corpusId]!, score }))
  }
}

/** The texts of a message, as LlamaIndex joins them; undefined without any. */
function textOf(query: LlamaIndexMessage | undefined): string | undefined {
  if (query === undefined || typeof query === 'string') return query
  if (!Array.isArray(query)) return textOf((query as { query?: LlamaIndexMessage }).query)
  const texts = query.map((part: LlamaIndexQuery) => (typeof part === 'string' ? part : part.text))
  const found = texts.filter((part) => typeof part === 'string')
  return found.length === 0 ? undefined : found.join('\n\n')
}
