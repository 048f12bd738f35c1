import type { Embeddings } from '../models/embeddings.js'
import type { MaxSimName } from '../models/multi-vector/folder.js'
import { SparseEmbeddings } from '../models/sparse-embeddings.js'
import { type AnyTokenEmbeddings, TokenEmbeddings } from '../models/token-embeddings.js'
import type { Metric } from '../native/types.js'
import { MaxSimHits } from './max-sim-hits.js'
import { SparseHits } from './sparse-hits.js'
import { type HitLists, TopHits } from './top-hits.js'

/** Rows of any model. */
type Rows = Pick<Embeddings, 'data' | 'shape'> | SparseEmbeddings | AnyTokenEmbeddings

/** {@link HitLists} over a corpus that arrives in pieces. */
export interface GrowingHits extends HitLists {
  add(corpus: Rows, first: number, signal?: AbortSignal): Promise<void>
}

/** The hits of rows of any kind. The rows of the corpus are of the same kind. */
export function hitsOf(queries: Rows, similarity: string, k: number): GrowingHits {
  let hits: HitLists
  if (queries instanceof SparseEmbeddings) hits = new SparseHits(queries, similarity as Metric, k)
  else if (queries instanceof TokenEmbeddings) hits = new MaxSimHits(queries, similarity as MaxSimName, k)
  else hits = new TopHits(queries, similarity as Metric, k)
  return hits as GrowingHits
}
