/**
 * Sentence-transformers models on the hub that people use. Architecture: `model_type` of their config.json, or a name for what
 * their own code computes. Modules: those of their modules.json; a cross-encoder is a classifier.
 */
export interface ReleasedModel {
  name: string
  kind: Kind
  architecture: string
  modules: readonly string[]
}

export const KINDS = ['bi-encoder', 'cross-encoder', 'sparse', 'multi-vector'] as const
export type Kind = (typeof KINDS)[number]

/** By kind, a line for each model: `name: architecture: modules`. */
const LISTS: Readonly<Record<Kind, string>> = {
  'bi-encoder': `
    all-MiniLM-L6-v2: bert: Transformer, Pooling, Normalize
    all-MiniLM-L12-v2: bert: Transformer, Pooling, Normalize
    all-mpnet-base-v2: mpnet: Transformer, Pooling, Normalize
    multi-qa-mpnet-base-dot-v1: mpnet: Transformer, Pooling
    multi-qa-MiniLM-L6-cos-v1: bert: Transformer, Pooling, Normalize
    multi-qa-distilbert-cos-v1: distilbert: Transformer, Pooling, Normalize
    all-distilroberta-v1: roberta: Transformer, Pooling, Normalize
    paraphrase-MiniLM-L6-v2: bert: Transformer, Pooling
    paraphrase-mpnet-base-v2: mpnet: Transformer, Pooling
    paraphrase-multilingual-MiniLM-L12-v2: bert: Transformer, Pooling
    paraphrase-multilingual-mpnet-base-v2: xlm-roberta: Transformer, Pooling
    distiluse-base-multilingual-cased-v2: distilbert: Transformer, Pooling, Dense
    LaBSE: bert: Transformer, Pooling, Dense, Normalize
    msmarco-distilbert-base-v4: distilbert: Transformer, Pooling
    msmarco-bert-base-dot-v5: bert: Transformer, Pooling
    stsb-roberta-large: roberta: Transformer, Pooling
    sentence-t5-base: t5: Transformer, Pooling, Dense, Normalize
    gtr-t5-base: t5: Transformer, Pooling, Dense, Normalize
    bge-small-en-v1.5: bert: Transformer, Pooling, Normalize
    bge-base-en-v1.5: bert: Transformer, Pooling, Normalize
    bge-large-en-v1.5: bert: Transformer, Pooling, Normalize
    bge-small-zh-v1.5: bert: Transformer, Pooling, Normalize
    bge-m3 (dense): xlm-roberta: Transformer, Pooling, Normalize
    e5-small-v2: bert: Transformer, Pooling, Normalize
    e5-base-v2: bert: Transformer, Pooling, Normalize
    e5-large-v2: bert: Transformer, Pooling, Normalize
    multilingual-e5-small: bert: Transformer, Pooling, Normalize
    multilingual-e5-base: xlm-roberta: Transformer, Pooling, Normalize
    multilingual-e5-large: xlm-roberta: Transformer, Pooling, Normalize
    multilingual-e5-large-instruct: xlm-roberta: Transformer, Pooling, Normalize
    gte-small: bert: Transformer, Pooling, Normalize
    gte-base: bert: Transformer, Pooling, Normalize
    gte-large: bert: Transformer, Pooling, Normalize
    gte-base-en-v1.5: gte: Transformer, Pooling
    gte-multilingual-base: gte: Transformer, Pooling, Normalize
    gte-modernbert-base: modernbert: Transformer, Pooling
    gte-Qwen2-1.5B-instruct: qwen2-remote: Transformer, Pooling, Normalize
    nomic-embed-text-v1: nomic_bert: Transformer, Pooling
    nomic-embed-text-v1.5: nomic_bert: Transformer, Pooling
    nomic-embed-text-v2-moe: nomic-moe: Transformer, Pooling
    modernbert-embed-base: modernbert: Transformer, Pooling, Normalize
    mxbai-embed-large-v1: bert: Transformer, Pooling
    mxbai-embed-xsmall-v1: bert: Transformer, Pooling
    snowflake-arctic-embed-xs: bert: Transformer, Pooling, Normalize
    snowflake-arctic-embed-s: bert: Transformer, Pooling, Normalize
    snowflake-arctic-embed-m: bert: Transformer, Pooling, Normalize
    snowflake-arctic-embed-l: bert: Transformer, Pooling, Normalize
    snowflake-arctic-embed-m-long: nomic_bert: Transformer, Pooling, Normalize
    snowflake-arctic-embed-m-v2.0: gte: Transformer, Pooling, Normalize
    snowflake-arctic-embed-l-v2.0: xlm-roberta: Transformer, Pooling, Normalize
    jina-embeddings-v2-base-en: jina-alibi: Transformer, Pooling
    jina-embeddings-v3: jina-v3: Transformer, Pooling, Normalize
    granite-embedding-30m-english: roberta: Transformer, Pooling, Normalize
    granite-embedding-125m-english: roberta: Transformer, Pooling, Normalize
    granite-embedding-107m-multilingual: xlm-roberta: Transformer, Pooling, Normalize
    granite-embedding-278m-multilingual: xlm-roberta: Transformer, Pooling, Normalize
    granite-embedding-english-r2: modernbert: Transformer, Pooling, Normalize
    stella_en_400M_v5: gte: Transformer, Pooling, Dense
    stella_en_1.5B_v5: qwen2-remote: Transformer, Pooling, Dense
    Qwen3-Embedding-0.6B: qwen3: Transformer, Pooling, Normalize
    Qwen3-Embedding-4B: qwen3: Transformer, Pooling, Normalize
    embeddinggemma-300m: gemma3_text: Transformer, Pooling, Dense, Dense, Normalize
    potion-base-8M: static: StaticEmbedding
    potion-multilingual-128M: static: StaticEmbedding
    static-retrieval-mrl-en-v1: static: StaticEmbedding
    static-similarity-mrl-multilingual-v1: static: StaticEmbedding
    e5-mistral-7b-instruct: mistral: Transformer, Pooling, Normalize
  `,
  'cross-encoder': `
    ms-marco-MiniLM-L6-v2: bert: classifier
    ms-marco-MiniLM-L12-v2: bert: classifier
    ms-marco-TinyBERT-L2-v2: bert: classifier
    ms-marco-electra-base: electra: classifier
    stsb-distilroberta-base: roberta: classifier
    stsb-roberta-large (cross-encoder): roberta: classifier
    quora-distilroberta-base: roberta: classifier
    nli-deberta-v3-base: deberta-v2: classifier
    bge-reranker-base: xlm-roberta: classifier
    bge-reranker-large: xlm-roberta: classifier
    bge-reranker-v2-m3: xlm-roberta: classifier
    mxbai-rerank-base-v1: deberta-v2: classifier
    gte-reranker-modernbert-base: modernbert: classifier
    gte-multilingual-reranker-base: gte: classifier
    jina-reranker-v2-base: jina-flash: classifier
    Qwen3-Reranker-0.6B: qwen3: LogitScore
    Qwen3-Reranker-0.6B-seq-cls: qwen3: classifier
    mmarco-mMiniLMv2-L12-H384-v1: xlm-roberta: classifier
  `,
  sparse: `
    splade-cocondenser-ensembledistil: bert: MLM head, SpladePooling
    splade-v3: bert: MLM head, SpladePooling
    efficient-splade-V-large-doc: distilbert: MLM head, SpladePooling
    opensearch-neural-sparse-doc-v2-distill: distilbert: Router, MLM head, SpladePooling, SparseStaticEmbedding
    opensearch-neural-sparse-doc-v3-gte: gte: Router, MLM head, SpladePooling, SparseStaticEmbedding
  `,
  'multi-vector': `
    colbertv2.0: bert: Dense on tokens, MultiVectorMask, Normalize
    answerai-colbert-small-v1: bert: Dense on tokens, MultiVectorMask, Normalize
    GTE-ModernColBERT-v1: modernbert: Dense on tokens, MultiVectorMask, Normalize
    jina-colbert-v2: jina-flash: Dense on tokens, MultiVectorMask, Normalize
  `,
}

export const RELEASED: readonly ReleasedModel[] = KINDS.flatMap((kind) =>
  LISTS[kind]
    .trim()
    .split('\n')
    .map((line) => {
      const [name, architecture, modules] = line.trim().split(': ')
      return { name: name!, kind, architecture: architecture!, modules: modules!.split(', ') }
    }),
)
