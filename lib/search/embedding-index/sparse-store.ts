import { SentenceTorchError } from '../../errors.js'
import { damaged } from '../../io/damaged.js'
import type { SparseEmbeddings } from '../../models/sparse-embeddings.js'
import type { Metric } from '../../native/types.js'
import { InvertedIndex, type SparseEngine } from '../inverted-index.js'
import { SparseHits } from '../sparse-hits.js'
import type { IndexFile } from './index-file.js'
import { readEnds } from './token-store.js'

/** The sparse rows of an index, in memory: an inverted index for each addition. */
export class SparseStore {
  readonly #addon: () => SparseEngine
  readonly #parts: { first: number; index: InvertedIndex }[] = []

  constructor(addon: () => SparseEngine) {
    this.#addon = addon
  }

  /** Reads segments that are new. @throws SentenceTorchError ERR_INVALID_FILE */
  async add(file: IndexFile): Promise<void> {
    for (const segment of file.segments.slice(this.#parts.length)) {
      const count = segment.parts.codes.bytes / 4
      const [indices, values] = [new Int32Array(count), new Float32Array(count)]
      await file.readPart(segment, 'codes', new Uint8Array(indices.buffer))
      await file.readPart(segment, 'vectors', new Uint8Array(values.buffer))
      const offsets = await readEnds(file, segment, count)
      const rows = { indices, values, offsets, dimension: file.head.dimension }
      const index = await InvertedIndex.of(this.#addon, rows).catch((error: unknown) => {
        const isDamage = error instanceof SentenceTorchError && /ERR_INVALID_(ARGUMENT|DATA)/.test(error.code)
        if (!isDamage) throw error
        throw damaged(file.path, `rows from ${segment.first} on: ${error.message}`)
      })
      this.#parts.push({ first: segment.first, index })
    }
  }

  /** @param k at most the number of rows */
  async search(
    queries: SparseEmbeddings,
    metric: Metric,
    k: number,
    signal: AbortSignal | undefined,
  ): Promise<SparseHits> {
    const hits = new SparseHits(queries, metric, k, this.#addon)
    for (const { first, index } of [...this.#parts]) await hits.add(index, first, signal)
    return hits
  }
}
