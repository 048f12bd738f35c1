import { invalidArgument } from '../errors.js'
import { checkInteger, checkOptions } from '../options.js'
import type { SearchHit } from './search-options.js'

export interface ReciprocalRankFusionOptions {
  /** Added to every rank; the larger, the less the first ranks count. Default 60. */
  rrfK?: number
  /** Entries per query. Default: all that are in one of the lists. */
  topK?: number
}

/**
 * One ranking of several, such as those of a dense and a sparse model (hybrid search): the score of an entry is Σ 1 / (rrfK + rank) over
 * the lists that it is in, ranks from 1. Scores of the lists do not count. Equal sums keep the order of the first list, then that of
 * the next ones.
 *
 * ```ts
 * const found = await Promise.all([dense, sparse].map(…))           // hits of each query: `semanticSearch`, `index.search`
 * const hits = util.reciprocalRankFusion(found, { topK: 10 })       // [query][{ corpusId, score }, …]
 * ```
 * @param rankings for each search the hits of every query, best first; the members of a hit beside its score come from the first list
 * Source: Cormack et al. 2009 (https://doi.org/10.1145/1571941.1572114); sentence-transformers `ReciprocalRankFusionEvaluator`.
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT (numbers of queries that differ), ERR_UNKNOWN_OPTION
 */
export function reciprocalRankFusion<Hit extends SearchHit>(
  rankings: readonly (readonly (readonly Hit[])[])[],
  options: ReciprocalRankFusionOptions = {},
): Hit[][] {
  checkOptions('reciprocalRankFusion', options, ['rrfK', 'topK'])
  const { rrfK = 60, topK } = options
  checkInteger('rrfK', rrfK, 0)
  checkInteger('topK', topK, 1)
  const isLists = Array.isArray(rankings) && rankings.every((hits) => Array.isArray(hits) && hits.every(Array.isArray))
  if (!isLists) throw invalidArgument('rankings', 'for each search an array of hits of every query', rankings)
  const queries = rankings[0]?.length ?? 0
  rankings.forEach((hits, i) => {
    if (hits.length !== queries) throw invalidArgument(`rankings[${i}]`, `hits of ${queries} queries`, hits.length)
    hits.forEach((own, q) => {
      const wrong = own.findIndex((hit: Hit | null) => !Number.isInteger(hit?.corpusId))
      if (wrong === -1) return
      throw invalidArgument(`rankings[${i}][${q}][${wrong}]`, 'a hit with an integer as corpusId', own[wrong])
    })
  })
  return Array.from({ length: queries }, (_, q) => {
    const first = new Map<number, Hit>()
    for (const hit of rankings.flatMap((hits) => hits[q]!)) if (!first.has(hit.corpusId)) first.set(hit.corpusId, hit)
    const fused = fuseRanks(
      rankings.map((hits) => hits[q]!.map(({ corpusId }) => corpusId)),
      rrfK,
    )
    return fused.slice(0, topK).map(([corpusId, score]) => ({ ...first.get(corpusId)!, score }))
  })
}

/** Entries by falling Σ 1 / (rrfK + rank). Of an entry that a list has twice the last rank counts, as in Python. */
export function fuseRanks<T>(lists: readonly (readonly T[])[], rrfK: number): [entry: T, score: number][] {
  const ranks = lists.map((list) => new Map(list.map((entry, i) => [entry, i + 1])))
  const scores = new Map<T, number>()
  for (const entry of ranks.flatMap((ranks) => [...ranks.keys()])) {
    if (scores.has(entry)) continue
    let score = 0
    for (const list of ranks) if (list.has(entry)) score += 1 / (rrfK + list.get(entry)!)
    scores.set(entry, score)
  }
  return [...scores].sort((a, b) => b[1] - a[1])
}
