import type { Embeddings } from '../models/embeddings.js'
import { type Block, type BlockOptions, NAMES, type SearchEngine, searchBlocks } from './blocks.js'
import { type SearchedRows, viewOf } from './rows.js'
import { TopHits } from './top-hits.js'

/** Limit of entries in lists that are merged from several parts of the corpus: 32 MB. */
const LIST_ENTRIES = 2 ** 22

/** {@link searchBlocks} over a corpus that may come in parts. The result is the same. */
export async function* searchRows(
  addon: () => SearchEngine,
  queries: Embeddings,
  corpus: SearchedRows,
  options: BlockOptions,
): AsyncGenerator<Block> {
  const count = corpus.shape[0]
  if (corpus.partRows >= count) {
    yield* searchBlocks(addon, queries, corpus.part(0), options)
    return
  }
  const { k, metric, rowsPerJob, signal, names = NAMES } = options
  const [total, dim] = queries.shape
  const step = Math.max(1, Math.min(rowsPerJob, Math.floor(LIST_ENTRIES / k)))
  for (let first = 0; first < total; first += step) {
    const rows = Math.min(step, total - first)
    const part = { data: viewOf(queries, first, rows, names.queries), shape: [rows, dim] as [number, number] }
    const hits = new TopHits(part, metric, k, addon, names)
    for (let start = 0; start < count; start += corpus.partRows) await hits.add(corpus.part(start), start, signal)
    yield { first, rows, k, scores: hits.scores, indices: hits.documents }
  }
}
