import { TimeSlice } from '../data/time-slice.js'
import { invalidArgument } from '../errors.js'
import type { Embeddings, EmbeddingsLike } from '../models/embeddings.js'
import type { SentenceTransformer } from '../models/sentence-transformer.js'
import type { EncodeOptions } from '../models/types.js'
import { loadAddon } from '../native/load.js'
import { checkInteger, checkOptions, checkType } from '../options.js'
import type { SearchEngine } from './blocks.js'
import { searchRows } from './nearest.js'
import { PairHeap, PairSet } from './pair-heap.js'
import { ownOf, rowsOf, type SearchedRows, searchedRows } from './rows.js'
import { metricOf, type ScoreFunction } from './score-function.js'

/** Two rows and their similarity: `[score, i, j]` with i < j. */
export type MinedPair = [score: number, i: number, j: number]

export interface ParaphraseMiningEmbeddingsOptions {
  /** Limit of rows that the engine compares in one job. Does not change the result. Default 5000. */
  queryChunkSize?: number
  /** Limit of rows that each of them is compared with in one job. Does not change the result. Default 100,000. */
  corpusChunkSize?: number
  /** Limit of pairs. The best are kept; of equal scores, the pairs found first. Default 500,000. */
  maxPairs?: number
  /** Limit of other rows for every row. Default 100. */
  topK?: number
  /** How rows are compared. Default `cosine`. */
  scoreFunction?: ScoreFunction
  /**
   * The rows are copied at the call, so later changes have no effect. `false` copies each part of 32 MB when it is read,
   * again and again; use it for rows of which memory cannot hold a second copy. Rows whose memory is transferred meanwhile
   * are then an error. Default true.
   */
  copy?: boolean
  /** Stops between two jobs of the engine; the promise rejects with ERR_ABORTED. */
  signal?: AbortSignal
}

/** Options of `paraphraseMining`: those of the search, and of `encode`. */
export interface ParaphraseMiningOptions
  extends Omit<ParaphraseMiningEmbeddingsOptions, 'copy'>,
    Pick<EncodeOptions, 'showProgressBar' | 'batchSize' | 'truncateDim' | 'prompt' | 'promptName'> {}

const SEARCH = ['queryChunkSize', 'corpusChunkSize', 'maxPairs', 'topK', 'scoreFunction', 'signal']
const ENCODE = ['showProgressBar', 'batchSize', 'truncateDim', 'prompt', 'promptName'] as const

/**
 * Embeds `sentences` and returns the most similar pairs, best first: `[score, i, j]`, i < j, every pair once.
 * @param model anything that embeds texts as SentenceTransformer does
 * Source: sentence-transformers `util.paraphrase_mining`.
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_ABORTED, and what `encode` throws
 */
export async function paraphraseMining(
  model: Pick<SentenceTransformer, 'encode'>,
  sentences: readonly string[],
  options: ParaphraseMiningOptions = {},
): Promise<MinedPair[]> {
  return mineWith(loadAddon, model, sentences, options)
}

/**
 * The most similar pairs of rows of `rows` [n, dim], best first; equal scores by rising numbers. Every row is compared with
 * all others, and its `topK` best are candidates. The engine computes them off the JavaScript thread.
 * Source: sentence-transformers `util.paraphrase_mining_embeddings`.
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT, ERR_INVALID_DATA (NaN or an infinity, naming the row), ERR_UNKNOWN_OPTION,
 * ERR_OUT_OF_MEMORY (the copy), ERR_ABORTED
 */
export async function paraphraseMiningEmbeddings(
  rows: EmbeddingsLike,
  options: ParaphraseMiningEmbeddingsOptions = {},
): Promise<MinedPair[]> {
  return mineEmbeddingsWith(loadAddon, rows, options)
}

/** @internal `paraphraseMining` with another engine, for tests. */
export async function mineWith(
  addon: () => SearchEngine,
  model: Pick<SentenceTransformer, 'encode'>,
  sentences: readonly string[],
  options: ParaphraseMiningOptions,
): Promise<MinedPair[]> {
  checkOptions('paraphraseMining', options, [...SEARCH, ...ENCODE])
  if (typeof model?.encode !== 'function') throw invalidArgument('model', 'a SentenceTransformer', model)
  if (!Array.isArray(sentences)) throw invalidArgument('sentences', 'an array of strings', sentences)
  checkSearch(options)
  const { showProgressBar, batchSize, truncateDim, prompt, promptName, ...search } = options
  const { signal } = search
  const encoding: EncodeOptions = {}
  for (const name of ENCODE) if (options[name] !== undefined) Object.assign(encoding, { [name]: options[name] })
  if (signal !== undefined) encoding.signal = signal
  const rows = (await model.encode(sentences, encoding)) as Embeddings
  return mineRows(addon, rowsOf(ownOf(model, rows, 'embeddings'), 'embeddings', chunkSize(search)), search)
}

/** @internal `paraphraseMiningEmbeddings` with another engine, for tests. */
export async function mineEmbeddingsWith(
  addon: () => SearchEngine,
  rows: EmbeddingsLike,
  options: ParaphraseMiningEmbeddingsOptions,
): Promise<MinedPair[]> {
  checkOptions('paraphraseMiningEmbeddings', options, [...SEARCH, 'copy'])
  checkType('copy', options.copy, 'boolean')
  checkSearch(options)
  return mineRows(addon, searchedRows(rows, 'embeddings', options.copy, chunkSize(options)), options)
}

function chunkSize({ corpusChunkSize = 100_000 }: Pick<ParaphraseMiningEmbeddingsOptions, 'corpusChunkSize'>): number {
  return corpusChunkSize
}

async function mineRows(
  addon: () => SearchEngine,
  rows: SearchedRows,
  options: ParaphraseMiningEmbeddingsOptions,
): Promise<MinedPair[]> {
  const { maxPairs = 500_000, topK = 100, queryChunkSize = 5000, scoreFunction, signal } = options
  const slice = new TimeSlice()
  const heap = new PairHeap()
  const kept = new PairSet()
  let lowest = Number.NEGATIVE_INFINITY
  // One more than requested, because a row is most similar to itself.
  const k = Math.min(topK + 1, rows.shape[0])
  const names = { queries: 'embeddings', corpus: 'embeddings' }
  const search = { k, metric: metricOf(scoreFunction), rowsPerJob: queryChunkSize, signal, names }
  for await (const block of searchRows(addon, rows.all, rows, search)) {
    for (let row = 0; row < block.rows; row++) {
      const i = block.first + row
      for (let at = row * k, others = 0; at < (row + 1) * k && others < topK; at++) {
        const j = block.indices[at]!
        if (i === j) continue
        others++
        const score = block.scores[at]!
        if (!(score > lowest) || !kept.add(Math.min(i, j), Math.max(i, j))) continue
        heap.push(score, Math.min(i, j), Math.max(i, j))
        if (heap.size <= maxPairs) continue
        const worst = heap.pop()
        kept.delete(worst.i, worst.j)
        lowest = worst.score
      }
      await slice.yield()
    }
  }
  return drain(heap, slice)
}

/** All pairs of the heap, best first, equal scores by rising numbers. */
async function drain(heap: PairHeap, slice: TimeSlice): Promise<MinedPair[]> {
  const rising: MinedPair[] = []
  while (heap.size > 0) {
    const { score, i, j } = heap.pop()
    rising.push([score, i, j])
    if (slice.isOver) await slice.yield()
  }
  return rising.reverse()
}

function checkSearch(options: ParaphraseMiningEmbeddingsOptions): void {
  checkInteger('queryChunkSize', options.queryChunkSize, 1)
  checkInteger('corpusChunkSize', options.corpusChunkSize, 1)
  checkInteger('maxPairs', options.maxPairs, 1)
  checkInteger('topK', options.topK, 1)
  metricOf(options.scoreFunction)
}
