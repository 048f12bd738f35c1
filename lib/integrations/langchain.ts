/**
 * sentence-torch/langchain: embeddings and a reranker for LangChain. It imports nothing of LangChain, whose interfaces both satisfy. See
 * docs/integrations.md.
 */
import { invalidArgument } from '../errors.js'
import type { CrossEncoder } from '../models/cross-encoder.js'
import type { SentenceTransformer } from '../models/sentence-transformer.js'
import { checkOptions } from '../options.js'
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

/**
 * `EmbeddingsInterface` of @langchain/core: what its vector stores and retrievers take.
 *
 * ```ts
 * const store = new MemoryVectorStore(new SentenceTorchEmbeddings(model, { normalizeEmbeddings: true }))
 * ```
 */
export class SentenceTorchEmbeddings {
  readonly model: SentenceTransformer
  readonly #options: EmbedOptions

  /** @throws SentenceTorchError ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION */
  constructor(model: SentenceTransformer, options: EmbedOptions = {}) {
    checkEmbedder(model)
    checkOptions('SentenceTorchEmbeddings', options, EMBED_OPTIONS)
    this.model = model
    this.#options = { ...options }
  }

  /** The vector of a question, with the model's prompt `query`. @throws as `SentenceTransformer.encode` */
  async embedQuery(document: string): Promise<number[]> {
    return Array.from(await this.model.encodeQuery(document, this.#options))
  }

  /**
   * The vectors of documents, with the model's prompt `document`, `passage` or `corpus`. All documents are one call: the engine forms
   * batches by length.
   * @throws as `SentenceTransformer.encode`
   */
  async embedDocuments(documents: string[]): Promise<number[][]> {
    return arraysOf(await this.model.encodeDocument(documents, this.#options))
  }
}

/** What a document has in LangChain. */
export interface LangChainDocument {
  pageContent: string
  // biome-ignore lint/suspicious/noExplicitAny: it is so in LangChain, and a narrower type would refuse its documents.
  metadata: Record<string, any>
  id?: string
}

/**
 * `BaseDocumentCompressor` of @langchain/core over a cross-encoder: keeps the documents that answer a query best, best first, and puts the
 * score into `metadata.relevanceScore`.
 */
export class SentenceTorchReranker {
  readonly model: CrossEncoder
  readonly #options: RerankOptions

  /** @throws SentenceTorchError ERR_INVALID_ARGUMENT (a model with several labels among others), ERR_UNKNOWN_OPTION */
  constructor(model: CrossEncoder, options: RerankOptions = {}) {
    checkReranker('SentenceTorchReranker', model, options)
    this.model = model
    this.#options = { ...options }
  }

  /** @returns copies of the documents, of the class that they had. @throws as `CrossEncoder.rank` */
  async compressDocuments<D extends LangChainDocument>(documents: readonly D[], query: string): Promise<D[]> {
    const texts = documents.map((document, i) => {
      if (typeof document?.pageContent === 'string') return document.pageContent
      throw invalidArgument(`documents[${i}]`, 'a document with pageContent', document)
    })
    const ranked = await rerank(this.model, query, texts, this.#options)
    return ranked.map(({ corpusId, score }) => withScore(documents[corpusId]!, score))
  }
}

function withScore<D extends LangChainDocument>(document: D, relevanceScore: number): D {
  const copy = Object.assign(Object.create(Object.getPrototypeOf(document)), document) as D
  copy.metadata = { ...document.metadata, relevanceScore }
  return copy
}
