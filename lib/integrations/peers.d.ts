/** What is used of packages that need not be installed when this one is compiled. */
declare module '@llamaindex/core/embeddings' {
  /** A function with methods. */
  export class BaseEmbedding {
    embedBatchSize: number
    embedInfo?: { dimensions?: number; maxTokens?: number }
    getTextEmbeddings: (texts: string[]) => Promise<number[][]>
  }
}
