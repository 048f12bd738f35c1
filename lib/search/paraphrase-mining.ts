import { Turns } from '../data/turns.js'
import { invalidArgument } from '../errors.js'
import { type Embeddings, type EmbeddingsLike, embeddings, ownEmbeddings } from '../models/embeddings.js'
import type { SentenceTransformer } from '../models/sentence-transformer.js'
import type { EncodeOptions } from '../models/types.js'
import { loadAddon } from '../native/load.js'
import { checkInteger, checkOptions, checkType } from '../options.js'
import { type SearchEngine, searchBlocks } from './blocks.js'
import { PairHeap, PairSet } from './pair-heap.js'
import { metricOf, type ScoreFunction } from './score-function.js'

/** Two rows and their similarity: `[score, i, j]` with i < j. */
export type MinedPair = [score: number, i: number, j: number]

export interface ParaphraseMiningEmbeddingsOptions {
  /** Rows that the engine compares in one job at most; no influence on what is found. Default 5000. */
  queryChunkSize?: number
  /**
   * Rows among which the `topK` best are taken: of more rows than this, every part of that size gives its own `topK`.
   * Default 100,000.
   */
  corpusChunkSize?: number
  /** Pairs that are kept, less one; (i, j) and (j, i) both count while they are collected. Default 500,000. */
  maxPairs?: number
  /** Other rows that are looked at for every row. Default 100. */
  topK?: number
  /** How rows are compared. Default `cosine`. */
  scoreFunction?: ScoreFunction
  /**
   * The rows are copied at the call, so that nothing that happens to them later is seen. `false` reads them in place: until the
   * promise settles they must not be written to, and their memory must not be transferred. Default true.
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
 * Embeds `sentences` and gives the pairs that are most alike, best first: `[score, i, j]`, i < j, every pair once.
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
 * The pairs of rows of `rows` [n, dim] that are most alike, best first; equal scores by rising numbers. Every row is compared
 * with all, its `topK` best are candidates; the engine computes them off the JavaScript thread. As in Python, pairs that score
 * −1 or less are left out (which for distances means those further apart than 1).
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

/** @internal `paraphraseMining` with another engine; the tests' entrance. */
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
  return mineEmbeddingsWith(addon, rows, { ...search, copy: false })
}

/** @internal `paraphraseMiningEmbeddings` with another engine; the tests' entrance. */
export async function mineEmbeddingsWith(
  addon: () => SearchEngine,
  rows: EmbeddingsLike,
  options: ParaphraseMiningEmbeddingsOptions,
): Promise<MinedPair[]> {
  checkOptions('paraphraseMiningEmbeddings', options, [...SEARCH, 'copy'])
  checkType('copy', options.copy, 'boolean')
  checkSearch(options)
  const { queryChunkSize = 5000, corpusChunkSize = 100_000, maxPairs = 500_000, topK = 100, signal } = options
  const metric = metricOf(options.scoreFunction)
  const all = ownEmbeddings(rows, 'embeddings', options.copy)
  const [count, dim] = all.shape
  const turns = new Turns()
  const heap = new PairHeap()
  let lowest = -1
  let added = 0
  for (let start = 0; start < count; start += corpusChunkSize) {
    const end = Math.min(start + corpusChunkSize, count)
    const corpus = embeddings(all.data.subarray(start * dim, end * dim), end - start, dim)
    // One more than asked for, since a row is most like itself.
    const k = Math.min(topK + 1, end - start)
    const names = { queries: 'embeddings', corpus: 'embeddings', first: start }
    const search = { k, metric, rowsPerJob: queryChunkSize, signal, names }
    for await (const block of searchBlocks(addon, all, corpus, search)) {
      for (let row = 0; row < block.rows; row++) {
        const i = block.first + row
        for (let at = row * k; at < (row + 1) * k; at++) {
          const score = block.scores[at]!
          const j = start + block.indices[at]!
          if (i === j || !(score > lowest)) continue
          heap.push(score, i, j)
          if (++added >= maxPairs) lowest = heap.pop().score
        }
        await turns.give()
      }
    }
  }
  return drain(heap, turns)
}

/** All pairs of the heap, best first, without those that are there the other way round as well. */
async function drain(heap: PairHeap, turns: Turns): Promise<MinedPair[]> {
  const seen = new PairSet(heap.size)
  const scores = new Float32Array(heap.size)
  const pairs = new Int32Array(2 * heap.size)
  let count = 0
  while (heap.size > 0) {
    const { score, i, j } = heap.pop()
    if (turns.isOver) await turns.give()
    if (!seen.add(Math.min(i, j), Math.max(i, j))) continue
    scores[count] = score
    pairs[2 * count] = Math.min(i, j)
    pairs[2 * count + 1] = Math.max(i, j)
    count++
  }
  // Backwards by runs of equal scores, whose order stays: what a stable sort would give.
  const falling: MinedPair[] = []
  for (let end = count; end > 0; ) {
    let start = end - 1
    while (start > 0 && scores[start - 1] === scores[end - 1]) start--
    for (let at = start; at < end; at++) {
      falling.push([scores[at]!, pairs[2 * at]!, pairs[2 * at + 1]!])
      if (turns.isOver) await turns.give()
    }
    end = start
  }
  return falling
}

function checkSearch(options: ParaphraseMiningEmbeddingsOptions): void {
  checkInteger('queryChunkSize', options.queryChunkSize, 1)
  checkInteger('corpusChunkSize', options.corpusChunkSize, 1)
  checkInteger('maxPairs', options.maxPairs, 1)
  checkInteger('topK', options.topK, 1)
  metricOf(options.scoreFunction)
}
