import { fromNative, invalidArgument, SentenceTorchError } from '../errors.js'
import { asEmbeddings, type Embeddings, type EmbeddingsLike } from '../models/embeddings.js'
import { similarityMatrix } from '../models/similarity.js'
import { loadAddon } from '../native/load.js'
import type { Metric, NativeAddon } from '../native/types.js'
import { checkInteger, checkOptions } from '../options.js'

/** One found entry. */
export interface SearchHit {
  /** Row of the corpus. */
  corpusId: number
  /** Similarity; euclidean and manhattan are negative distances. */
  score: number
}

export interface SemanticSearchOptions {
  /** Entries per query; fewer when the corpus is smaller. Default 10. */
  topK?: number
  /** How rows are compared: a metric, or `util.cosSim` or `util.dotScore`. Default `cosine`. */
  scoreFunction?: Metric | typeof cosSim | typeof dotScore
}

/**
 * The `topK` most similar rows of `corpus` [n, dim] for every row of `queries` [q, dim], best first. Exact, computed by the
 * engine off the JavaScript thread. A single vector as `queries` is one query.
 * Source: sentence-transformers `util.semantic_search`.
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT (shapes, options), ERR_UNKNOWN_OPTION
 */
export async function semanticSearch(
  queries: EmbeddingsLike,
  corpus: EmbeddingsLike,
  options: SemanticSearchOptions = {},
): Promise<SearchHit[][]> {
  return searchWith(loadAddon, queries, corpus, options)
}

/** @internal `semanticSearch` with another engine; the tests' entrance. */
export async function searchWith(
  addon: () => Pick<NativeAddon, 'topK'>,
  queries: EmbeddingsLike,
  corpus: EmbeddingsLike,
  options: SemanticSearchOptions,
): Promise<SearchHit[][]> {
  const chunks = { instead: 'the engine splits the work by itself' }
  checkOptions('semanticSearch', options, ['topK', 'scoreFunction'], {
    queryChunkSize: chunks,
    corpusChunkSize: chunks,
  })
  checkInteger('topK', options.topK, 1)
  const metric = metricOf(options.scoreFunction ?? 'cosine')
  const { data, shape } = asEmbeddings(queries, 'queries')
  const { data: entries, shape: corpusShape } = asEmbeddings(corpus, 'corpus')
  const [rows, dim] = shape
  if (rows === 0 || corpusShape[0] === 0) return Array.from({ length: rows }, () => [])
  if (dim !== corpusShape[1]) {
    const found = `${dim} and ${corpusShape[1]}`
    throw new SentenceTorchError(
      'ERR_INVALID_ARGUMENT',
      `Expected queries and corpus of equal width, received ${found}`,
    )
  }
  const k = Math.min(options.topK ?? 10, corpusShape[0])
  const scores = new Float32Array(rows * k)
  const indices = new Int32Array(rows * k)
  try {
    await addon().topK(data, entries, dim, k, metric, scores, indices)
  } catch (error) {
    throw fromNative(error, 'topK')
  }
  return Array.from({ length: rows }, (_, row) =>
    Array.from({ length: k }, (_, i) => ({ corpusId: indices[row * k + i]!, score: scores[row * k + i]! })),
  )
}

/** Cosine similarity of every row of `a` with every row of `b`: [rows of a, rows of b]. Source: `util.cos_sim`. */
export function cosSim(a: EmbeddingsLike, b: EmbeddingsLike): Embeddings {
  return similarityMatrix('cosine', a, b)
}

/** Dot product of every row of `a` with every row of `b`: [rows of a, rows of b]. Source: `util.dot_score`. */
export function dotScore(a: EmbeddingsLike, b: EmbeddingsLike): Embeddings {
  return similarityMatrix('dot', a, b)
}

function metricOf(score: unknown): Metric {
  if (score === cosSim) return 'cosine'
  if (score === dotScore) return 'dot'
  const metrics: unknown[] = ['cosine', 'dot', 'euclidean', 'manhattan']
  if (metrics.includes(score)) return score as Metric
  throw invalidArgument('scoreFunction', `${metrics.join(', ')}, util.cosSim or util.dotScore`, score)
}
