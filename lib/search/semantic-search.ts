import { TimeSlice } from '../data/time-slice.js'
import { asEmbeddings, COPIED_BYTES, type EmbeddingsLike, ownEmbeddings } from '../models/embeddings.js'
import { loadAddon } from '../native/load.js'
import { checkInteger, checkOptions, checkType } from '../options.js'
import { type Block, checkWidths, type SearchEngine, searchBlocks } from './blocks.js'
import { searchedRows } from './rows.js'
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
  /** Limit of queries in one job of the engine. Does not change the result. Default: the fastest (in Python: 100). */
  queryChunkSize?: number
  /** Limit of rows of the corpus in one job of the engine. Does not change the result. Default 500,000. */
  corpusChunkSize?: number
  /**
   * Both arguments are copied at the call, so later changes have no effect. To bound the memory, a corpus of more than 256
   * MB is copied in parts of 256 MB, each when it is read. `false` copies parts of 32 MB, each when it is read, which takes
   * less time for a corpus that is searched again and again. A change of a part that was not read yet then has an effect,
   * and rows whose memory is transferred are an error. Default true.
   */
  copy?: boolean
  /** Stops between two jobs of the engine; the promise rejects with ERR_ABORTED. */
  signal?: AbortSignal
}

/**
 * The `topK` most similar rows of `corpus` [n, dim] for every row of `queries` [q, dim], best first; equal scores by rising
 * number. The search is exact. The engine computes it off the JavaScript thread. A score depends on its two rows alone, so
 * equal rows have equal scores. A single vector as `queries` is one query.
 * Source: sentence-transformers `util.semantic_search`.
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT (shapes, options), ERR_INVALID_DATA (NaN or an infinity, naming the row),
 * ERR_UNKNOWN_OPTION, ERR_OUT_OF_MEMORY (a copy), ERR_ABORTED
 */
export async function semanticSearch(
  queries: EmbeddingsLike,
  corpus: EmbeddingsLike,
  options: SemanticSearchOptions = {},
): Promise<SearchHit[][]> {
  return searchWith(loadAddon, queries, corpus, options)
}

/** @internal `semanticSearch` with another engine and copy limit, for tests. */
export async function searchWith(
  addon: () => SearchEngine,
  queries: EmbeddingsLike,
  corpus: EmbeddingsLike,
  options: SemanticSearchOptions,
  copiedBytes = COPIED_BYTES,
): Promise<SearchHit[][]> {
  const names = ['topK', 'scoreFunction', 'queryChunkSize', 'corpusChunkSize', 'copy', 'signal']
  checkOptions('semanticSearch', options, names)
  const { topK = 10, queryChunkSize = Number.POSITIVE_INFINITY, corpusChunkSize = 500_000, signal } = options
  checkInteger('topK', topK, 1)
  checkInteger('queryChunkSize', options.queryChunkSize, 1)
  checkInteger('corpusChunkSize', corpusChunkSize, 1)
  checkType('copy', options.copy, 'boolean')
  const metric = metricOf(options.scoreFunction)
  const wanted = options.copy === false ? asEmbeddings(queries, 'queries') : ownEmbeddings(queries, 'queries')
  const there = searchedRows(corpus, 'corpus', options.copy, corpusChunkSize, copiedBytes)
  const { shape } = there
  const rows = wanted.shape[0]
  const found: SearchHit[][] = Array.from({ length: rows }, () => [])
  if (rows === 0 || shape[0] === 0) return found
  checkWidths(wanted, { shape })
  const slice = new TimeSlice()
  for (let start = 0; start < shape[0]; start += there.partRows) {
    const part = there.part(start)
    const k = Math.min(topK, part.shape[0])
    const names = { queries: 'queries', corpus: 'corpus', first: start }
    const search = { k, metric, rowsPerJob: queryChunkSize, signal, names }
    for await (const block of searchBlocks(addon, wanted, part, search)) {
      for (let row = 0; row < block.rows; row++) {
        const query = block.first + row
        found[query] = merge(found[query]!, hits(block, row, start), topK)
        await slice.yield()
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

/**
 * The `limit` best of two sorted lists. Of equal scores those of `earlier` come first, because their numbers are smaller.
 */
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
