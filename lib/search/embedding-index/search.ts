import type { Embeddings } from '../../models/embeddings.js'
import { embeddings } from '../../models/embeddings.js'
import type { Metric } from '../../native/types.js'
import type { SearchEngine } from '../blocks.js'
import type { SearchHit } from '../semantic-search.js'
import { TopHits } from '../top-hits.js'
import type { CodeEngine, CodeStore } from './code-store.js'
import type { VectorStore } from './vector-store.js'

/** A search of an index, with its settings at the call. */
export interface IndexSearch {
  addon: () => SearchEngine & CodeEngine
  codes: CodeStore
  vectors: VectorStore
  rows: number
  metric: Metric
  k: number
  /** Rows that are found by their codes and scored by their vectors; undefined: all rows are scored. */
  candidates: number | undefined
  signal: AbortSignal | undefined
}

export async function searchIndex(search: IndexSearch, queries: Embeddings): Promise<SearchHit[][]> {
  const { addon, codes, vectors, rows, metric, k, candidates, signal } = search
  if (rows === 0 || queries.shape[0] === 0) return Array.from({ length: queries.shape[0] }, () => [])
  const names = { queries: 'queries', corpus: 'the index' }
  if (candidates === undefined) {
    const hits = new TopHits(queries, metric, k, addon, names)
    for await (const { first, block } of vectors.blocks(rows)) await hits.add(block, first, signal)
    return Array.from({ length: queries.shape[0] }, (_, q) => listOf(hits, q))
  }
  const found: SearchHit[][] = []
  for await (const numbers of codes.nearest(addon, queries, candidates, signal)) {
    // By rising numbers, so that equal scores are ordered as in the whole index.
    const sorted = numbers.slice().sort()
    const q = found.length
    const hits = new TopHits(embeddings(queries.row(q), 1, queries.shape[1]), metric, k, addon, names)
    await hits.add(await vectors.some(sorted), 0, signal)
    found.push(listOf(hits, 0).map(({ corpusId, score }) => ({ corpusId: sorted[corpusId]!, score })))
  }
  return found
}

function listOf({ scores, documents, count, k }: TopHits, query: number): SearchHit[] {
  return Array.from({ length: count }, (_, i) => {
    return { corpusId: documents[query * k + i]!, score: scores[query * k + i]! }
  })
}
