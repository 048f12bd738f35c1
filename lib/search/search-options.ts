import type { Metric } from '../native/types.js'
import { checkInteger, checkOptions, checkType } from '../options.js'
import { metricOf, type ScoreFunction } from './score-function.js'

/** One found entry. */
export interface SearchHit {
  /** Row of the corpus. */
  corpusId: number
  /** Similarity; euclidean and manhattan are negative distances. */
  score: number
}

export interface SemanticSearchOptions {
  /** Entries per query; fewer when the corpus is smaller. Default 10. */
  topK?: number
  /** How rows are compared: a metric, or `util.cosSim`, `dotScore`, `euclideanSim` or `manhattanSim`. Default `cosine`. */
  scoreFunction?: ScoreFunction
  /** Limit of queries in one job of the engine. Does not change the result. Default: the fastest (in Python: 100). */
  queryChunkSize?: number
  /** Limit of rows of the corpus in one job of the engine. Does not change the result. Default 500,000. */
  corpusChunkSize?: number
  /**
   * Both arguments are copied at the call, so later changes have no effect. To bound the memory, a corpus of more than 256
   * MB is copied in parts of 256 MB, each when it is read. `false` copies parts of 32 MB, each when it is read, which takes
   * less time for a corpus that is searched again and again. A change of a part that was not read yet then has an effect,
   * and rows whose memory is transferred are an error. Default true.
   */
  copy?: boolean
  /** Stops between two jobs of the engine; the promise rejects with ERR_ABORTED. */
  signal?: AbortSignal
}

/** The options of a search with their defaults. */
export interface CheckedSearch extends Pick<SemanticSearchOptions, 'copy' | 'signal'> {
  topK: number
  metric: Metric
  queryChunkSize: number
  corpusChunkSize: number
}

export function checkSearch(options: SemanticSearchOptions): CheckedSearch {
  const names = ['topK', 'scoreFunction', 'queryChunkSize', 'corpusChunkSize', 'copy', 'signal']
  checkOptions('semanticSearch', options, names)
  const { topK = 10, queryChunkSize = Number.POSITIVE_INFINITY, corpusChunkSize = 500_000, ...rest } = options
  checkInteger('topK', topK, 1)
  checkInteger('queryChunkSize', options.queryChunkSize, 1)
  checkInteger('corpusChunkSize', corpusChunkSize, 1)
  checkType('copy', options.copy, 'boolean')
  return { ...rest, topK, queryChunkSize, corpusChunkSize, metric: metricOf(options.scoreFunction) }
}
