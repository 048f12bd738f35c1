import { TimeSlice } from '../data/time-slice.js'
import type { Embeddings } from '../models/embeddings.js'
import { pairwiseSimilarity, similarityMatrix } from '../models/similarity.js'
import { SparseEmbeddings } from '../models/sparse-embeddings.js'
import { pairwiseSparseSimilarity, sparseSimilarity } from '../models/sparse-similarity.js'
import type { Metric } from '../native/types.js'

export type DenseRows = Pick<Embeddings, 'data' | 'shape'>
/** What a model makes of texts: a row for each. */
export type Rows = DenseRows | SparseEmbeddings

/** Rows that are compared at once: about a millisecond. */
const CHUNK_ROWS = 256

export function countRows(rows: Rows): number {
  return rows instanceof SparseEmbeddings ? rows.length : rows.shape[0]
}

/** Similarities of row i of both, in slices, so that many pairs do not block the event loop. */
export async function similaritiesOfPairs(fn: string, first: Rows, second: Rows): Promise<Float32Array> {
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
export function similaritiesOfQuery(fn: string, query: Rows, documents: Rows): Float32Array {
  if (query instanceof SparseEmbeddings)
    return sparseSimilarity(fn as Metric, query, documents as SparseEmbeddings).data
  return similarityMatrix(fn as Metric, query, documents as DenseRows).data
}

function pairs(fn: Metric, first: Rows, second: Rows): Float32Array {
  if (first instanceof SparseEmbeddings) return pairwiseSparseSimilarity(fn, first, second as SparseEmbeddings)
  return pairwiseSimilarity(fn, first, second as DenseRows)
}

/** `size` rows from row `start`, as a view. */
export function sliceRows(rows: DenseRows, start: number, size: number): DenseRows
export function sliceRows(rows: Rows, start: number, size: number): Rows
export function sliceRows(rows: Rows, start: number, size: number): Rows {
  if (rows instanceof SparseEmbeddings) return rows.slice(start, start + size)
  const width = rows.shape[1]
  return { data: rows.data.subarray(start * width, (start + size) * width), shape: [size, width] }
}
