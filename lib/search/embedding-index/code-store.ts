import { fromNative } from '../../errors.js'
import { throwIfAborted } from '../../io/abort.js'
import type { Embeddings } from '../../models/embeddings.js'
import { embeddings } from '../../models/embeddings.js'
import type { NativeAddon } from '../../native/types.js'
import { bitsOf } from './codes.js'
import { codeBytes, type IndexSettings } from './format.js'
import type { IndexFile } from './index-file.js'

/** What scans codes. */
export type CodeEngine = Pick<NativeAddon, 'nearestBits' | 'nearestBytes'>

/** Comparisons of a query with a row in one job: some tenths of a second. */
const JOB_ROWS = 2 ** 26

/** The codes of all rows, in memory. */
export class CodeStore {
  readonly #settings: IndexSettings
  #codes = new Uint8Array(0)
  #factors = new Float32Array(0)
  #rows = 0

  constructor(settings: IndexSettings) {
    this.#settings = settings
  }

  /** Rows whose codes are here. */
  get rows(): number {
    return this.#rows
  }

  /** Reads the codes of segments that are new. */
  async add(file: IndexFile): Promise<void> {
    const segments = file.segments.filter(({ first }) => first >= this.#rows)
    const width = codeBytes(this.#settings)
    const more = segments.reduce((sum, { rows }) => sum + rows, 0)
    const rows = this.#rows + more
    // Doubled, so that many small additions copy little. A search that runs has the old memory.
    const room = rows * width <= this.#codes.length ? 0 : this.#rows === 0 ? rows : Math.max(rows, 2 * this.#rows)
    const codes = room === 0 ? this.#codes : grown(this.#codes, new Uint8Array(room * width))
    const isBytes = this.#settings.precision === 'int8'
    const factors = room === 0 || !isBytes ? this.#factors : grown(this.#factors, new Float32Array(room))
    let first = this.#rows
    for (const segment of segments) {
      const last = first + segment.rows
      if (width > 0) await file.readPart(segment, 'codes', codes.subarray(first * width, last * width))
      if (isBytes) {
        const part = factors.subarray(first, last)
        await file.readPart(segment, 'factors', new Uint8Array(part.buffer, part.byteOffset, part.byteLength))
      }
      first = last
    }
    this.#codes = codes
    this.#factors = factors
    this.#rows = rows
  }

  /**
   * The `k` rows that are nearest to each query by their codes, nearest first.
   * @param k at most the number of rows
   * @throws ERR_ABORTED between two jobs; errors of the engine
   */
  async *nearest(
    addon: () => CodeEngine,
    queries: Embeddings,
    k: number,
    signal?: AbortSignal,
  ): AsyncGenerator<Int32Array> {
    const { dimension, precision } = this.#settings
    const width = codeBytes(this.#settings)
    const rows = this.#rows
    const codes = this.#codes.subarray(0, rows * width)
    const factors = this.#factors.subarray(0, rows)
    const step = Math.max(1, Math.floor(JOB_ROWS / rows))
    for (let first = 0; first < queries.shape[0]; first += step) {
      throwIfAborted(signal, 'The search')
      const count = Math.min(step, queries.shape[0] - first)
      const part = queries.data.slice(first * dimension, (first + count) * dimension)
      const indices = new Int32Array(count * k)
      try {
        if (precision === 'binary') {
          const bits = await bitsOf(embeddings(part, count, dimension), this.#settings)
          await addon().nearestBits(bits, codes, width, k, indices)
        } else await addon().nearestBytes(part, codes, factors, dimension, k, indices)
      } catch (error) {
        throw fromNative(error, precision === 'binary' ? 'nearestBits' : 'nearestBytes')
      }
      for (let q = 0; q < count; q++) yield indices.subarray(q * k, (q + 1) * k)
    }
  }
}

function grown<T extends Uint8Array | Float32Array>(from: T, to: T): T {
  to.set(from)
  return to
}
