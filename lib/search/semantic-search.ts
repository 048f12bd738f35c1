import { Turns } from '../data/turns.js'
import { asEmbeddings, type EmbeddingsLike, embeddings } from '../models/embeddings.js'
import { loadAddon } from '../native/load.js'
import { checkInteger, checkOptions } from '../options.js'
import { type Block, checkWidths, type SearchEngine, searchBlocks } from './blocks.js'
import { metricOf, type ScoreFunction } from './score-function.js'

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
  /** How rows are compared: a metric, or `util.cosSim`, `dotScore`, `euclideanSim` or `manhattanSim`. Default `cosine`. */
  scoreFunction?: ScoreFunction
  /** Queries in one job of the engine at most; no influence on what is found. Default: what is fastest (there: 100). */
  queryChunkSize?: number
  /** Rows of the corpus in one job of the engine at most; no influence on what is found. Default 500,000. */
  corpusChunkSize?: number
  /** Stops between two jobs of the engine; the promise rejects with ERR_ABORTED. */
  signal?: AbortSignal
}

/**
 * The `topK` most similar rows of `corpus` [n, dim] for every row of `queries` [q, dim], best first; equal scores by rising
 * number. Exact, computed by the engine off the JavaScript thread. A single vector as `queries` is one query.
 * Source: sentence-transformers `util.semantic_search`.
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT (shapes, options), ERR_UNKNOWN_OPTION, ERR_ABORTED
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
  addon: () => SearchEngine,
  queries: EmbeddingsLike,
  corpus: EmbeddingsLike,
  options: SemanticSearchOptions,
): Promise<SearchHit[][]> {
  const names = ['topK', 'scoreFunction', 'queryChunkSize', 'corpusChunkSize', 'signal']
  checkOptions('semanticSearch', options, names)
  const { topK = 10, queryChunkSize = Number.POSITIVE_INFINITY, corpusChunkSize = 500_000, signal } = options
  checkInteger('topK', topK, 1)
  checkInteger('queryChunkSize', options.queryChunkSize, 1)
  checkInteger('corpusChunkSize', corpusChunkSize, 1)
  const metric = metricOf(options.scoreFunction)
  const wanted = asEmbeddings(queries, 'queries')
  const entries = asEmbeddings(corpus, 'corpus')
  const [rows, dim] = wanted.shape
  const found: SearchHit[][] = Array.from({ length: rows }, () => [])
  if (rows === 0 || entries.shape[0] === 0) return found
  checkWidths(wanted, entries)
  const turns = new Turns()
  for (let start = 0; start < entries.shape[0]; start += corpusChunkSize) {
    const end = Math.min(start + corpusChunkSize, entries.shape[0])
    const part = embeddings(entries.data.subarray(start * dim, end * dim), end - start, dim)
    const k = Math.min(topK, end - start)
    for await (const block of searchBlocks(addon, wanted, part, { k, metric, rowsPerJob: queryChunkSize, signal })) {
      for (let row = 0; row < block.rows; row++) {
        const query = block.first + row
        found[query] = merge(found[query]!, hits(block, row, start), topK)
        await turns.give()
      }
    }
  }
  return found
}

function hits({ k, scores, indices }: Block, row: number, start: number): SearchHit[] {
  return Array.from({ length: k }, (_, i) => ({
    corpusId: start + indices[row * k + i]!,
    score: scores[row * k + i]!,
  }))
}

/** The `limit` best of both, which are sorted; of equal ones those of `earlier`, whose numbers are smaller, come first. */
function merge(earlier: SearchHit[], later: SearchHit[], limit: number): SearchHit[] {
  if (earlier.length === 0) return later
  const merged: SearchHit[] = []
  for (let a = 0, b = 0; merged.length < limit && (a < earlier.length || b < later.length); ) {
    const left = earlier[a]
    const right = later[b]
    if (right === undefined || (left !== undefined && left.score >= right.score)) {
      merged.push(left!)
      a++
    } else {
      merged.push(right)
      b++
    }
  }
  return merged
}
