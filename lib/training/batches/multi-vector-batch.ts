import { pack, type Tokenized } from '../../data/pack.js'
import type { PackedBatch } from '../../native/types.js'

/** A column of texts as the engine reads it. */
export type VectorColumn = Tokenized & { attended?: Int32Array }

/**
 * Joins the columns of a batch, of which the first has the queries.
 * @param expand fills queries up
 */
export function packVectors(columns: readonly Tokenized[], expand: (queries: Tokenized) => VectorColumn): PackedBatch {
  const [queries, ...documents] = columns
  const expanded = expand(queries!)
  const batch = pack([expanded, ...documents])
  const rows = queries!.offsets.length - 1
  batch.queries = new Int32Array(columns.length * rows).fill(1, 0, rows)
  if (expanded.attended === undefined) return batch
  // Of documents all tokens.
  batch.attended = Int32Array.from(batch.offsets.subarray(1), (end, row) => end - batch.offsets[row]!)
  batch.attended.set(expanded.attended)
  return batch
}
