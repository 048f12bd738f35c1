import { fromNative, invalidArgument, SentenceTorchError } from '../errors.js'
import { throwIfAborted } from '../io/abort.js'
import { SparseEmbeddings } from '../models/sparse-embeddings.js'
import { loadAddon } from '../native/load.js'
import type { NativeAddon, PostingArrays, SparseArrays } from '../native/types.js'
import type { Block, BlockOptions } from './blocks.js'

/** The part of the engine that searches sparse rows. */
export type SparseEngine = Pick<NativeAddon, 'invertSparse' | 'sparseTopK'>

/** {@link SparseEmbeddings}, or rows in their form. */
export interface SparseData extends SparseArrays {
  dimension: number
}

/** Values read and sums compared in one job. They take some tenths of a second, which is the longest wait of another query. */
const JOB_WORK = 2 ** 28
/** Limit of entries in one job's result: 32 MB. */
const JOB_RESULTS = 2 ** 22

/**
 * Sparse rows by columns: which rows have a value in a column, and which value. A query reads only the columns that it has
 * values in.
 *
 * ```ts
 * const index = await InvertedIndex.from(await model.encodeDocument(texts))
 * const hits = await util.semanticSearch(await model.encodeQuery(queries), index, { scoreFunction: 'dot' })
 * ```
 */
export class InvertedIndex {
  /** @internal */
  readonly postings: PostingArrays
  /** Number of rows. */
  readonly length: number
  /** Width of a row. */
  readonly dimension: number

  private constructor(postings: PostingArrays, dimension: number) {
    this.postings = postings
    this.length = postings.squares.length
    this.dimension = dimension
  }

  /**
   * The index of `rows`, which are copied: 8 bytes for each value and 16 for each row.
   * @throws SentenceTorchError ERR_INVALID_ARGUMENT, ERR_INVALID_DATA (NaN or an infinity), ERR_OUT_OF_MEMORY
   */
  static async from(rows: SparseEmbeddings): Promise<InvertedIndex> {
    return InvertedIndex.of(loadAddon, sparseRows(rows, 'rows'))
  }

  /** @internal `from` with another engine, and of a part of the rows. */
  static async of(addon: () => SparseEngine, rows: SparseData, first = 0, end = countOf(rows)): Promise<InvertedIndex> {
    const part = copyOfRows(rows, first, end)
    const { dimension } = rows
    const postings = room(part.values.length, end - first, dimension)
    try {
      await addon().invertSparse(arraysOf(part), dimension, postings)
    } catch (error) {
      throw fromNative(error, 'invertSparse')
    }
    return new InvertedIndex(postings, dimension)
  }

  /**
   * @internal Searches for all rows of `queries`, job by job in their order. Each job gets a copy of its queries.
   * @throws SentenceTorchError ERR_ABORTED between two jobs; or the engine's error
   */
  async *search(
    addon: () => SparseEngine,
    queries: SparseData,
    { k, metric, rowsPerJob, signal }: Pick<BlockOptions, 'k' | 'metric' | 'rowsPerJob' | 'signal'>,
  ): AsyncGenerator<Block> {
    const most = Math.min(rowsPerJob, Math.max(1, Math.floor(JOB_RESULTS / k)))
    const count = countOf(queries)
    for (let first = 0; first < count; ) {
      throwIfAborted(signal, 'The search')
      const end = this.#end(queries, first, most)
      const rows = end - first
      const scores = new Float32Array(rows * k)
      const indices = new Int32Array(rows * k)
      const part = copyOfRows(queries, first, end)
      try {
        await addon().sparseTopK(arraysOf(part), this.dimension, this.postings, k, metric, scores, indices)
      } catch (error) {
        throw fromNative(error, 'sparseTopK')
      }
      yield { first, rows, k, scores, indices }
      first = end
    }
  }

  /** Where a job ends that begins with query `first`. */
  #end(queries: SparseData, first: number, most: number): number {
    const { offsets } = this.postings
    const count = countOf(queries)
    let work = 0
    let row = first
    for (; row < count && row < first + most && work < JOB_WORK; row++) {
      work += this.length
      for (let i = queries.offsets[row]!; i < queries.offsets[row + 1]!; i++) {
        const column = queries.indices[i]!
        work += offsets[column + 1]! - offsets[column]!
      }
    }
    return row
  }
}

/** Checks what a caller passed as sparse rows `name`. */
export function sparseRows(rows: unknown, name: string): SparseEmbeddings {
  if (rows instanceof SparseEmbeddings) return rows
  throw invalidArgument(name, 'SparseEmbeddings', rows)
}

/** @throws SentenceTorchError ERR_INVALID_ARGUMENT unless both have the same dimension */
export function checkDimensions(queries: { dimension: number }, corpus: { dimension: number }): void {
  if (queries.dimension === corpus.dimension) return
  const found = `${queries.dimension} and ${corpus.dimension}`
  const message = `Expected queries and corpus of one dimension, received ${found}: they come from different models`
  throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
}

/** Number of rows. */
export function countOf({ offsets }: SparseArrays): number {
  return offsets.length - 1
}

/** Rows `first` … `end` − 1 in memory that is ours alone. */
export function copyOfRows(
  { indices, values, offsets, dimension }: SparseData,
  first: number,
  end: number,
): SparseData {
  const [start, stop] = [offsets[first]!, offsets[end]!]
  try {
    return {
      indices: new Int32Array(indices.subarray(start, stop)),
      values: new Float32Array(values.subarray(start, stop)),
      offsets: Int32Array.from({ length: end - first + 1 }, (_, i) => offsets[first + i]! - start),
      dimension,
    }
  } catch (cause) {
    const message = `No memory for a copy of ${end - first} sparse rows of ${stop - start} values, 8 bytes each`
    throw new SentenceTorchError('ERR_OUT_OF_MEMORY', message, { cause })
  }
}

function arraysOf({ indices, values, offsets }: SparseData): SparseArrays {
  return { indices, values, offsets }
}

function room(values: number, rows: number, dimension: number): PostingArrays {
  try {
    return {
      documents: new Int32Array(values),
      values: new Float32Array(values),
      offsets: new Int32Array(dimension + 1),
      squares: new Float64Array(rows),
      magnitudes: new Float64Array(rows),
    }
  } catch (cause) {
    const message = `No memory for an inverted index of ${rows} rows, ${values} values and ${dimension} columns`
    throw new SentenceTorchError('ERR_OUT_OF_MEMORY', message, { cause })
  }
}
