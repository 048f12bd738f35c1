import { throwIfAborted } from '../io/abort.js'
import { COPIED_BYTES } from '../models/embeddings.js'
import { loadAddon } from '../native/load.js'
import type { Metric } from '../native/types.js'
import {
  checkDimensions,
  copyOfRows,
  countOf,
  InvertedIndex,
  type SparseData,
  type SparseEngine,
  sparseRows,
} from './inverted-index.js'
import type { CheckedSearch, SearchHit } from './search-options.js'
import { HitLists } from './top-hits.js'

/** {@link HitLists} of sparse rows, over a corpus that arrives in pieces. */
export class SparseHits extends HitLists {
  constructor(
    readonly queries: SparseData,
    readonly metric: Metric,
    k: number,
    private readonly addon: () => SparseEngine = loadAddon,
    private readonly rowsPerJob = Number.POSITIVE_INFINITY,
  ) {
    super(countOf(queries), k)
  }

  /**
   * @param first index of the piece's first document
   * @throws ERR_INVALID_ARGUMENT (dimension), ERR_ABORTED
   */
  async add(corpus: SparseData | InvertedIndex, first: number, signal?: AbortSignal): Promise<void> {
    checkDimensions(this.queries, corpus)
    const index = corpus instanceof InvertedIndex ? corpus : await InvertedIndex.of(this.addon, corpus)
    const k = Math.min(this.k, index.length)
    if (k === 0) return
    const options = { k, metric: this.metric, rowsPerJob: this.rowsPerJob, signal }
    await this.take(index.search(this.addon, this.queries, options), k, first)
  }
}

/** `semanticSearch` of sparse rows. */
export async function searchSparse(
  addon: () => SparseEngine,
  queries: unknown,
  corpus: unknown,
  { topK, metric, corpusChunkSize, queryChunkSize, copy = true, signal }: CheckedSearch,
): Promise<SearchHit[][]> {
  const asked = owned(sparseRows(queries, 'queries'), copy)
  const there = corpus instanceof InvertedIndex ? corpus : sparseRows(corpus, 'corpus')
  checkDimensions(asked, there)
  const hits = new SparseHits(asked, metric, Math.min(topK, there.length), addon, queryChunkSize)
  if (countOf(asked) === 0) return []
  if (there instanceof InvertedIndex) {
    await hits.add(there, 0, signal)
    return hits.lists()
  }
  const count = there.length
  const rows = owned(there, copy && 2 * there.values.byteLength <= COPIED_BYTES)
  for (let first = 0; first < count; first += corpusChunkSize) {
    throwIfAborted(signal, 'The search')
    const end = Math.min(first + corpusChunkSize, count)
    await hits.add(await InvertedIndex.of(addon, rows, first, end), first, signal)
  }
  return hits.lists()
}

function owned(rows: SparseData, copy: boolean): SparseData {
  return copy ? copyOfRows(rows, 0, countOf(rows)) : rows
}
