import { TimeSlice } from '../data/time-slice.js'
import { type Embeddings, embeddings } from '../models/embeddings.js'
import { loadAddon } from '../native/load.js'
import type { Metric } from '../native/types.js'
import { type Block, checkWidths, type SearchEngine, searchBlocks } from './blocks.js'
import type { SearchHit } from './search-options.js'

type Rows = Pick<Embeddings, 'data' | 'shape'>

/** The best `k` documents of every query. Best first; equal scores keep the order of the documents. */
export class HitLists {
  /** Hits of query `q` are `scores[q * k …]` and `documents[q * k …]`, `count` of them. */
  readonly scores: Float32Array
  readonly documents: Int32Array
  count = 0

  constructor(
    readonly queryCount: number,
    readonly k: number,
  ) {
    this.scores = new Float32Array(queryCount * k)
    this.documents = new Int32Array(queryCount * k)
  }

  /**
   * Merges the hits of a piece of the corpus, `k` for every query.
   * @param first index of the piece's first document
   */
  protected async take(blocks: AsyncIterable<Block> | Iterable<Block>, k: number, first: number): Promise<void> {
    const slice = new TimeSlice()
    for await (const block of blocks) {
      for (let i = 0; i < block.rows; i++) {
        const [from, to] = [i * k, (i + 1) * k]
        this.#merge(block.first + i, block.scores.subarray(from, to), block.indices.subarray(from, to), first)
        await slice.yield()
      }
    }
    this.count = Math.min(this.k, this.count + k)
  }

  /** The hits of each query. */
  async lists(): Promise<SearchHit[][]> {
    const slice = new TimeSlice()
    const found: SearchHit[][] = []
    for (let start = 0; found.length < this.queryCount; start += this.k) {
      found.push(
        Array.from({ length: this.count }, (_, i) => ({
          corpusId: this.documents[start + i]!,
          score: this.scores[start + i]!,
        })),
      )
      await slice.yield()
    }
    return found
  }

  /** Merges two sorted lists. Of equal scores the older one comes first. */
  #merge(query: number, scores: Float32Array, found: Int32Array, first: number): void {
    const at = query * this.k
    const oldScores = this.scores.slice(at, at + this.count)
    const oldDocuments = this.documents.slice(at, at + this.count)
    const end = Math.min(this.k, this.count + scores.length)
    for (let to = 0, old = 0, add = 0; to < end; to++) {
      const keep = old < oldScores.length && (add === scores.length || oldScores[old]! >= scores[add]!)
      this.scores[at + to] = keep ? oldScores[old]! : scores[add]!
      this.documents[at + to] = keep ? oldDocuments[old++]! : first + found[add++]!
    }
  }
}

/** {@link HitLists} over a corpus that arrives in pieces. Only the hits of a piece are kept. */
export class TopHits extends HitLists {
  constructor(
    readonly queries: Rows,
    readonly metric: Metric,
    k: number,
    private readonly addon: () => SearchEngine = loadAddon,
    private readonly names = { queries: 'queries', corpus: 'corpus' },
  ) {
    super(queries.shape[0], k)
  }

  /**
   * @param first index of the piece's first document
   * @throws ERR_INVALID_ARGUMENT (width), ERR_ABORTED
   */
  async add(corpus: Rows, first: number, signal?: AbortSignal): Promise<void> {
    const k = Math.min(this.k, corpus.shape[0])
    if (k === 0) return
    const [queries, documents] = [this.queries, corpus].map(({ data, shape }) => embeddings(data, ...shape))
    checkWidths(queries!, documents!)
    const options = {
      k,
      metric: this.metric,
      rowsPerJob: Number.POSITIVE_INFINITY,
      signal,
      names: { ...this.names, first },
    }
    await this.take(searchBlocks(this.addon, queries!, documents!, options), k, first)
  }
}
