import { invalidArgument } from '../../errors.js'
import type { MaxSimName } from '../../models/multi-vector/folder.js'
import type { AnyTokenEmbeddings } from '../../models/token-embeddings.js'
import { MaxSimHits } from '../max-sim-hits.js'
import type { SearchHit } from '../search-options.js'
import type { TokenStore } from './token-store.js'

interface RankOptions {
  similarity: MaxSimName
  topK: number
  /** Rows of the index. */
  rows: number
  signal: AbortSignal | undefined
}

/**
 * Ranks for each query the rows that another search has found; equal scores by rising number.
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT for rows that the index does not have
 */
export async function rankRows(
  store: TokenStore,
  queries: AnyTokenEmbeddings,
  among: readonly (readonly number[])[],
  { similarity, topK, rows, signal }: RankOptions,
): Promise<SearchHit[][]> {
  if (!Array.isArray(among) || among.length !== queries.length)
    throw invalidArgument('among', `the rows to rank for each of ${queries.length} queries`, among)
  const found: SearchHit[][] = []
  for (const [q, given] of (among as readonly (readonly number[])[]).entries()) {
    const wrong = given.find((row) => !Number.isInteger(row) || row < 0 || row >= rows)
    if (wrong !== undefined) throw invalidArgument(`among[${q}]`, `rows from 0 to ${rows - 1}`, wrong)
    const numbers = [...new Set(given)].sort((a, b) => a - b)
    const hits = new MaxSimHits(queries.slice(q, q + 1), similarity, Math.min(topK, numbers.length))
    if (numbers.length > 0) await hits.add(await store.some(numbers), 0, signal, false)
    const [list = []] = await hits.lists()
    found.push(list.map(({ corpusId, score }) => ({ corpusId: numbers[corpusId]!, score })))
  }
  return found
}
