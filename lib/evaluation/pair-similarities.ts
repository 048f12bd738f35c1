import { TimeSlice } from '../data/time-slice.js'
import type { Embeddings } from '../models/embeddings.js'
import { pairwiseSimilarity } from '../models/similarity.js'
import type { SimilarityName } from './common.js'

export type Rows = Pick<Embeddings, 'data' | 'shape'>

/** Rows that are compared at once: about a millisecond. */
const CHUNK_ROWS = 256

/** `pairwiseSimilarity` in slices, so that many pairs do not block the event loop. */
export async function similaritiesOfPairs(fn: SimilarityName, first: Rows, second: Rows): Promise<Float32Array> {
  const slice = new TimeSlice()
  const rows = first.shape[0]
  const similarities = new Float32Array(rows)
  for (let start = 0; start < rows; start += CHUNK_ROWS) {
    const size = Math.min(CHUNK_ROWS, rows - start)
    similarities.set(pairwiseSimilarity(fn, sliceRows(first, start, size), sliceRows(second, start, size)), start)
    await slice.yield()
  }
  return similarities
}

/** `size` rows from row `start`, as a view. */
export function sliceRows({ data, shape: [, width] }: Rows, start: number, size: number): Rows {
  return { data: data.subarray(start * width, (start + size) * width), shape: [size, width] }
}
