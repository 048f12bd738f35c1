import { TimeSlice } from '../data/time-slice.js'
import { asEmbeddings, COPIED_BYTES, type EmbeddingsLike, ownEmbeddings } from '../models/embeddings.js'
import { SparseEmbeddings } from '../models/sparse-embeddings.js'
import { loadAddon } from '../native/load.js'
import { type Block, checkWidths, type SearchEngine, searchBlocks } from './blocks.js'
import { InvertedIndex } from './inverted-index.js'
import { searchedRows } from './rows.js'
import { checkSearch, type SearchHit, type SemanticSearchOptions } from './search-options.js'
import { searchSparse } from './sparse-hits.js'

export type { SearchHit, SemanticSearchOptions } from './search-options.js'

/**
 * The `topK` most similar rows of `corpus` [n, dim] for every row of `queries` [q, dim], best first; equal scores by rising
 * number. The search is exact. The engine computes it off the JavaScript thread. A score depends on its two rows alone, so
 * equal rows have equal scores. A single vector as `queries` is one query.
 *
 * Sparse rows are searched by an inverted index, which is made of the corpus at each call; an {@link InvertedIndex} as `corpus` is
 * made once.
 * Source: sentence-transformers `util.semantic_search`.
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT (shapes, options), ERR_INVALID_DATA (NaN or an infinity, naming the row),
 * ERR_UNKNOWN_OPTION, ERR_OUT_OF_MEMORY (a copy), ERR_ABORTED
 */
export async function semanticSearch(
  queries: EmbeddingsLike | SparseEmbeddings,
  corpus: EmbeddingsLike | SparseEmbeddings | InvertedIndex,
  options: SemanticSearchOptions = {},
): Promise<SearchHit[][]> {
  if (isSparse(queries) || isSparse(corpus)) return searchSparse(loadAddon, queries, corpus, checkSearch(options))
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
  const { topK, metric, queryChunkSize, corpusChunkSize, signal } = checkSearch(options)
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

function isSparse(rows: unknown): rows is SparseEmbeddings | InvertedIndex {
  return rows instanceof SparseEmbeddings || rows instanceof InvertedIndex
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
