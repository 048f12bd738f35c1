import { TimeSlice } from '../data/time-slice.js'
import type { Embeddings } from '../models/embeddings.js'
import type { MaxSimName } from '../models/multi-vector/folder.js'
import { maxSimMatrix, maxSimPairs } from '../models/multi-vector/scores.js'
import { pairwiseSimilarity, similarityMatrix } from '../models/similarity.js'
import { SparseEmbeddings } from '../models/sparse-embeddings.js'
import { pairwiseSparseSimilarity, sparseSimilarity } from '../models/sparse-similarity.js'
import { TokenEmbeddings } from '../models/token-embeddings.js'
import type { Metric } from '../native/types.js'

export type DenseRows = Pick<Embeddings, 'data' | 'shape'>
/** What a model makes of texts: a row for each. */
export type Rows = DenseRows | SparseEmbeddings | TokenEmbeddings

/** Rows that are compared at once: about a millisecond. */
const CHUNK_ROWS = 256

export function countRows(rows: Rows): number {
  return 'shape' in rows ? rows.shape[0] : rows.length
}

/** Similarities of row i of both, in slices, so that many pairs do not block the event loop. */
export async function similaritiesOfPairs(fn: string, first: Rows, second: Rows): Promise<Float32Array> {
  if (first instanceof TokenEmbeddings) return maxSimPairs(fn as MaxSimName, first, second as TokenEmbeddings)
  const slice = new TimeSlice()
  const rows = countRows(first)
  const similarities = new Float32Array(rows)
  for (let start = 0; start < rows; start += CHUNK_ROWS) {
    const size = Math.min(CHUNK_ROWS, rows - start)
    similarities.set(pairs(fn as Metric, sliceRows(first, start, size), sliceRows(second, start, size)), start)
    await slice.yield()
  }
  return similarities
}

/** Similarities of the one row of `query` with every row of `documents`. */
export async function similaritiesOfQuery(fn: string, query: Rows, documents: Rows): Promise<Float32Array> {
  if (query instanceof TokenEmbeddings)
    return (await maxSimMatrix(fn as MaxSimName, query, documents as TokenEmbeddings)).data
  if (query instanceof SparseEmbeddings)
    return sparseSimilarity(fn as Metric, query, documents as SparseEmbeddings).data
  return similarityMatrix(fn as Metric, query, documents as DenseRows).data
}

function pairs(fn: Metric, first: DenseRows | SparseEmbeddings, second: Rows): Float32Array {
  if (first instanceof SparseEmbeddings) return pairwiseSparseSimilarity(fn, first, second as SparseEmbeddings)
  return pairwiseSimilarity(fn, first, second as DenseRows)
}

/** `size` rows from row `start`, as a view. */
export function sliceRows(rows: DenseRows, start: number, size: number): DenseRows
export function sliceRows(rows: DenseRows | SparseEmbeddings, start: number, size: number): DenseRows | SparseEmbeddings
export function sliceRows(rows: Rows, start: number, size: number): Rows
export function sliceRows(rows: Rows, start: number, size: number): Rows {
  if (!('shape' in rows)) return rows.slice(start, start + size)
  const width = rows.shape[1]
  return { data: rows.data.subarray(start * width, (start + size) * width), shape: [size, width] }
}
