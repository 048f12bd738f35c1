import { invalidArgument } from '../errors.js'
import { checkInteger, checkOptions } from '../options.js'
import { EmbeddingIndex, type IndexHit } from '../search/embedding-index/embedding-index.js'
import { type IndexRowsLike, ownRows } from '../search/embedding-index/row-kinds.js'
import { EncodedFiles } from './encoded-files.js'

export interface SearchIndexesOptions {
  /** Entries per query. Default 10. */
  topK?: number
  /** Of `int8` and `binary`: candidates for each entry of each index. Default 4 for `int8`, 20 for `binary`. */
  rescoreMultiplier?: number
  /** The promise rejects with ERR_ABORTED. */
  signal?: AbortSignal
}

/** One found row. */
export interface IndexesHit extends IndexHit {
  /** Which of the indexes has it, from 0 on; `corpusId` is its number there. */
  index: number
}

/**
 * The most similar rows of several indexes, and of folders of `encodeFiles`, best first; equal scores by rising index. They are searched
 * one after the other.
 *
 * ```ts
 * const indexes = await Promise.all(['a.index', 'b.index'].map((path) => EmbeddingIndex.open(path)))
 * const [hits] = await searchIndexes(indexes, await model.encodeQuery(['a question']), { topK: 5 })   // [{ index, corpusId, score }, …]
 * ```
 * @param indexes that compare in the same way
 * @throws SentenceTorchError as `EmbeddingIndex.search`
 */
export async function searchIndexes(
  indexes: readonly (EmbeddingIndex | EncodedFiles)[],
  queries: IndexRowsLike,
  options: SearchIndexesOptions = {},
): Promise<IndexesHit[][]> {
  checkOptions('searchIndexes', options, ['topK', 'rescoreMultiplier', 'signal'])
  const { topK = 10, rescoreMultiplier, signal } = options
  checkInteger('topK', topK, 1)
  checkIndexes(indexes, rescoreMultiplier)
  // As they are now: the indexes get their turns one after the other.
  const asked = ownRows(queries, 'queries')
  let best: IndexesHit[][] = []
  for (const [index, one] of indexes.entries()) {
    const hasCodes = one.precision !== 'float32' && rescoreMultiplier !== undefined
    const own = { topK, ...(signal && { signal }) }
    const found: IndexHit[][] =
      one instanceof EncodedFiles
        ? await one.search(asked, own)
        : await one.search(asked, { ...own, ...(hasCodes && { rescoreMultiplier }) })
    const hits = found.map((list) => list.map((hit) => ({ ...hit, index })))
    best = index === 0 ? hits : best.map((list, q) => merged(list, hits[q]!, topK))
  }
  return best
}

function checkIndexes(indexes: readonly (EmbeddingIndex | EncodedFiles)[], rescoreMultiplier: number | undefined) {
  const fits = (one: unknown) => one instanceof EmbeddingIndex || one instanceof EncodedFiles
  if (!Array.isArray(indexes) || indexes.length === 0 || !indexes.every(fits))
    throw invalidArgument('indexes', 'an array of EmbeddingIndex or EncodedFiles', indexes)
  const ways = indexes.map((one) => (one instanceof EmbeddingIndex ? one.scoreFunction : one.similarityFnName))
  const other = ways.find((way) => way !== ways[0])
  if (other !== undefined) throw invalidArgument('indexes', `indexes that all compare by ${ways[0]}`, other)
  if (rescoreMultiplier !== undefined && indexes.every(({ precision }) => precision === 'float32'))
    throw invalidArgument('rescoreMultiplier', 'none: it is for int8 and binary', rescoreMultiplier)
}

/** The best of two lists; of equal scores those of the first come first. */
function merged(first: IndexesHit[], second: IndexesHit[], most: number): IndexesHit[] {
  // Sorting keeps the order of equal ones.
  return [...first, ...second].sort((a, b) => b.score - a.score).slice(0, most)
}
