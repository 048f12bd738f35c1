// What is assigned here must be of the types of the real packages: `tsc -p test/peers`.
import type { DocumentInterface } from '@langchain/core/documents'
import type { EmbeddingsInterface } from '@langchain/core/embeddings'
import type { BaseDocumentCompressor } from '@langchain/core/retrievers/document_compressors'
import type { BaseEmbedding } from '@llamaindex/core/embeddings'
import type { BaseNodePostprocessor } from '@llamaindex/core/postprocessor'
import type { BaseNode, TransformComponent } from '@llamaindex/core/schema'
import type { EmbeddingModel, RerankingModel } from 'ai'
import { embed, embedMany, rerank } from 'ai'
import type { EmbeddingModel as EmbeddingModel6, RerankingModel as RerankingModel6 } from 'ai-6'
import type { CrossEncoder, SentenceTransformer } from 'sentence-torch'
import { embeddingModel, rerankingModel } from 'sentence-torch/ai-sdk'
import { SentenceTorchEmbeddings, SentenceTorchReranker } from 'sentence-torch/langchain'
import { SentenceTorchRerank, sentenceTorchEmbedding } from 'sentence-torch/llamaindex'

declare const model: SentenceTransformer
declare const crossEncoder: CrossEncoder

export const embeddings: EmbeddingsInterface = new SentenceTorchEmbeddings(model)
export const compressor: BaseDocumentCompressor = new SentenceTorchReranker(crossEncoder)
export const documents: Promise<DocumentInterface[]> = compressor.compressDocuments([], 'query')

export const v4: EmbeddingModel = embeddingModel(model)
export const v3: EmbeddingModel = embeddingModel(model, { specificationVersion: 'v3' })
export const old: EmbeddingModel6 = embeddingModel(model, { specificationVersion: 'v3' })
export const reranking: RerankingModel = rerankingModel(crossEncoder)
export const oldReranking: RerankingModel6 = rerankingModel(crossEncoder, { specificationVersion: 'v3' })
export const calls = [
  embed({ model: embeddingModel(model), value: 'text' }),
  embedMany({ model: embeddingModel(model), values: ['text'], dimensions: 128 }),
  rerank({ model: rerankingModel(crossEncoder), query: 'query', documents: ['text'] }),
]

export const embedding: BaseEmbedding = await sentenceTorchEmbedding(model)
export const transform: TransformComponent<Promise<BaseNode[]>> = await sentenceTorchEmbedding(model)
export const postprocessor: BaseNodePostprocessor = new SentenceTorchRerank(crossEncoder)

// @ts-expect-error: `ai` 6 knows no v4.
export const tooNew: EmbeddingModel6 = embeddingModel(model)
