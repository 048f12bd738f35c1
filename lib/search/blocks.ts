import { fromNative, SentenceTorchError } from '../errors.js'
import { copyOf, type Embeddings, firstNotFinite } from '../models/embeddings.js'
import type { Metric, NativeAddon } from '../native/types.js'
import { viewOf } from './rows.js'

/** The part of the engine that searches. */
export type SearchEngine = Pick<NativeAddon, 'topK'>

/** The best `k` rows of a corpus for some rows of the queries. */
export interface Block {
  /** Index of the first query, and number of queries. */
  first: number
  rows: number
  k: number
  /** [rows, k], best first; equal scores by rising index. */
  scores: Float32Array
  /** [rows, k] rows of the corpus. */
  indices: Int32Array
}

export interface BlockOptions {
  k: number
  metric: Metric
  /** Limit of queries in one job of the engine. */
  rowsPerJob: number
  signal?: AbortSignal | undefined
  /** For errors: the caller's names of both, and the caller's index of the first row of the corpus. */
  names?: { queries: string; corpus: string; first?: number }
}

export const NAMES: BlockOptions['names'] & {} = { queries: 'queries', corpus: 'corpus' }

/** Multiplications in one job. They take some tenths of a second, which is the longest wait of another query. */
const JOB_WORK = 2 ** 34
/** Queries that the engine compares at once. Smaller jobs would read the corpus more often. */
const ENGINE_ROWS = 256
/** Limit of entries in one job's result: 32 MB. */
const JOB_RESULTS = 2 ** 22

/**
 * Searches `corpus` for all rows of `queries`, job by job in the order of the queries. The next job runs while the caller
 * works on a block, so memory holds two blocks. Nobody else may change the memory of the corpus. Each job gets a copy of
 * its queries.
 *
 * A score depends only on the numbers of its two rows, and equal scores are ordered by rising index. So the result does not
 * depend on the division of queries and corpus.
 * @throws SentenceTorchError ERR_ABORTED between two jobs; ERR_INVALID_DATA naming a row that holds NaN or an infinity,
 * which cannot be ranked; or the engine's error
 */
export async function* searchBlocks(
  addon: () => SearchEngine,
  queries: Embeddings,
  corpus: Embeddings,
  { k, metric, rowsPerJob, signal, names = NAMES }: BlockOptions,
): AsyncGenerator<Block> {
  const [count, dim] = queries.shape
  const fast = Math.max(ENGINE_ROWS, Math.floor(JOB_WORK / (corpus.shape[0] * dim)))
  const step = Math.max(1, Math.min(rowsPerJob, fast, Math.floor(JOB_RESULTS / k)))
  const search = async (first: number): Promise<Block> => {
    if (signal?.aborted) throw new SentenceTorchError('ERR_ABORTED', 'The search was aborted', { cause: signal.reason })
    const rows = Math.min(step, count - first)
    const scores = new Float32Array(rows * k)
    const indices = new Int32Array(rows * k)
    const part = copyOf(viewOf(queries, first, rows, names.queries), names.queries)
    try {
      await addon().topK(part, corpus.data, dim, k, metric, scores, indices)
    } catch (error) {
      checkFinite(corpus, names.corpus, names.first)
      checkFinite(queries, names.queries)
      throw fromNative(error, 'topK')
    }
    return { first, rows, k, scores, indices }
  }
  const start = (first: number): Promise<Block> | undefined => {
    if (first >= count) return undefined
    const job = search(first)
    // The job may fail while the caller works on the previous block. The error is thrown when the job is awaited.
    job.catch(() => {})
    return job
  }
  let next = start(0)
  while (next !== undefined) {
    const block = await next
    next = start(block.first + block.rows)
    yield block
  }
}

/** Translates the engine's row number within a job to the caller's. */
export function checkFinite({ data, shape }: Embeddings, name: string, first = 0): void {
  const at = firstNotFinite(data)
  if (at === -1) return
  const row = first + Math.floor(at / shape[1])
  throw new SentenceTorchError(
    'ERR_INVALID_DATA',
    `Expected finite numbers in row ${row} of ${name}, found ${data[at]}`,
  )
}

/** @throws SentenceTorchError ERR_INVALID_ARGUMENT unless both have the same width */
export function checkWidths(queries: Pick<Embeddings, 'shape'>, corpus: Pick<Embeddings, 'shape'>): void {
  if (queries.shape[1] === corpus.shape[1]) return
  const found = `${queries.shape[1]} and ${corpus.shape[1]}`
  throw new SentenceTorchError('ERR_INVALID_ARGUMENT', `Expected queries and corpus of equal width, received ${found}`)
}
