import { invalidArgument, SentenceTorchError } from '../../errors.js'
import type { ProgressOutput } from '../../models/progress.js'
import { checkInteger, checkOneOf, checkOptions, checkType } from '../../options.js'
import type { NegativeWriter, PairJudge } from './judge.js'
import type { MiningStatistics } from './statistics-types.js'

/** One score per pair, in order. Those of a CrossEncoder also have a `shape`. */
export type PairScores = ArrayLike<number> | { data: ArrayLike<number> }

/** Rescores candidates: a CrossEncoder with one label, or any object with its `predict`. */
export interface PairScorer {
  predict(
    pairs: readonly (readonly [query: string, text: string])[],
    options: { batchSize: number; signal?: AbortSignal },
  ): PairScores | Promise<PairScores>
}

/**
 * How hard negatives are, as other options say it; each may be given beside it and then counts. Ranks are those of the model among
 * the candidates that are left.
 *
 * | Difficulty | Options |
 * |---|---|
 * | `hard` | the best candidates that score less than 95 % of the positive: `relativeMargin: 0.05` |
 * | `semi-hard` | the same margin, from rank 11 on: `rangeMin: 10`, `rangeMax: 50` |
 * | `easy` | the same margin, from rank 101 on: `rangeMin: 100`, `rangeMax: 1000` |
 */
export const DIFFICULTIES = {
  easy: { relativeMargin: 0.05, rangeMin: 100, rangeMax: 1000 },
  'semi-hard': { relativeMargin: 0.05, rangeMin: 10, rangeMax: 50 },
  hard: { relativeMargin: 0.05 },
} as const
export type Difficulty = keyof typeof DIFFICULTIES

const OUTPUT_FORMATS = ['triplet', 'n-tuple', 'labeled-pair', 'labeled-list'] as const
/**
 * Columns of the result, after those of anchor and positive:
 * - `triplet`: `negative`; one row per negative
 * - `n-tuple`: `negative_1`, …; one row per positive for which all negatives were found
 * - `labeled-pair`: `label`; one row per positive (1) and per negative (0), texts in the positive's column
 * - `labeled-list`: `labels`; one row per positive: lists of texts, the positive first, and of labels
 */
export type NegativesFormat = (typeof OUTPUT_FORMATS)[number]

export interface MineHardNegativesOptions {
  /** Column of the queries. Default: the first column of texts. */
  anchorColumnName?: string
  /** Column of the texts that answer them. Default: the second column of texts. */
  positiveColumnName?: string
  /** Texts among which negatives are searched for, besides all positives. Default: the positives alone. */
  corpus?: readonly string[]
  /**
   * Scores candidates and positives instead of the model. Needs a margin, `maxScore` or `minScore`, because only those use
   * scores.
   */
  crossEncoder?: PairScorer
  /** `easy`, `semi-hard` or `hard`: stands for a margin and a range of ranks. Default: none. */
  difficulty?: Difficulty
  /**
   * Says of candidates whether they answer their query after all; such ones are left out. Asked in the order of the scores, until
   * `numNegatives` are found for a query.
   */
  judge?: PairJudge
  /**
   * Writes `numNegatives` candidates for each query, in place of the search. Margins and bounds of scores hold for them too; none may
   * be skipped by `rangeMin`.
   */
  writer?: NegativeWriter
  /** Number of best candidates to skip. Default 0. */
  rangeMin?: number
  /**
   * Limit of best candidates. Default: `rangeMin` + `numNegatives` (times 10 with a margin, `maxScore`, or `minScore`
   * together with a `crossEncoder`, or a `judge`) + the highest number of positives of a query.
   */
  rangeMax?: number
  /** Leave out candidates with a higher score. */
  maxScore?: number
  /** Leave out candidates with a lower score. */
  minScore?: number
  /** Candidates must score at least this much less than the query's lowest positive. */
  absoluteMargin?: number
  /** Candidates must score less than the query's lowest positive by this share of its absolute value. */
  relativeMargin?: number
  /** Negatives per query. Default 3. */
  numNegatives?: number
  /** Take the best candidates, or a random choice of them. Default `top`. */
  samplingStrategy?: 'top' | 'random'
  /** Seed of that random choice. Default 42. */
  seed?: number
  /** Name of the model's prompt for queries. Default: `queryPrompt`, else that of `encodeQuery`. */
  queryPromptName?: string
  /** Prefix of every query. */
  queryPrompt?: string
  /** Name of the model's prompt for the corpus. Default: `corpusPrompt`, else that of `encodeDocument`. */
  corpusPromptName?: string
  /** Prefix of every text of the corpus. */
  corpusPrompt?: string
  /** Keep positives among the candidates: a ranking for reranking evaluation. The format is `n-tuple`. Default false. */
  includePositives?: boolean
  /** Default `triplet`. */
  outputFormat?: NegativesFormat
  /**
   * Add `scores` ([positive, negative, …]) to triplets and n-tuples, or replace `label` by `score` and `labels` by
   * `scores`. Default false.
   */
  outputScores?: boolean
  /** Texts per batch of the model and of the cross-encoder. Default 32. */
  batchSize?: number
  /** Print a table of the scores: to standard output, or to the given output. Default true. */
  verbose?: boolean | ProgressOutput
  /** Told at the end: all scores, how many candidates were refused and why, and samples. */
  onStatistics?: (statistics: MiningStatistics) => void
  /**
   * Folder for embeddings, which are kept as `query_embeddings_{sha256}.npy` and `corpus_embeddings_{sha256}.npy` and read
   * the next time. The name covers the texts, the prompts and the model's weights.
   */
  cacheFolder?: string
  /** Stops between two jobs of the engine; the promise rejects with ERR_ABORTED. */
  signal?: AbortSignal
}

const NUMBERS = ['maxScore', 'minScore', 'absoluteMargin', 'relativeMargin'] as const
const TEXTS = [
  ...(['anchorColumnName', 'positiveColumnName', 'queryPromptName', 'queryPrompt'] as const),
  ...(['corpusPromptName', 'corpusPrompt', 'cacheFolder'] as const),
]
const NAMES = [
  ...['corpus', 'crossEncoder', 'rangeMin', 'rangeMax', 'numNegatives', 'samplingStrategy', 'seed', 'includePositives'],
  ...['outputFormat', 'outputScores', 'batchSize', 'verbose', 'signal', ...NUMBERS, ...TEXTS],
  ...['difficulty', 'judge', 'writer', 'onStatistics'],
]
const NOT_BUILT = {
  useFaiss: { harmless: [false], instead: 'the engine searches exactly, on all cores and in bounded memory' },
  faissBatchSize: { harmless: [16384], instead: 'the engine bounds its memory by itself' },
  useMultiProcess: { harmless: [false], instead: 'one engine uses all cores' },
  asTriplets: { instead: "use outputFormat 'triplet' or 'n-tuple'" },
  margin: { instead: 'use absoluteMargin or relativeMargin' },
}

/** Options with their defaults, except `rangeMax`, which depends on the data. */
export type MiningPlan = MineHardNegativesOptions &
  Required<
    Pick<
      MineHardNegativesOptions,
      | ('rangeMin' | 'numNegatives' | 'samplingStrategy' | 'seed' | 'includePositives' | 'outputFormat')
      | ('outputScores' | 'batchSize' | 'verbose')
    >
  >

/** @throws SentenceTorchError ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_NOT_IMPLEMENTED */
export function checkMining(given: MineHardNegativesOptions): MiningPlan {
  checkOptions('mineHardNegatives', given, NAMES, NOT_BUILT)
  checkOneOf('difficulty', given.difficulty, Object.keys(DIFFICULTIES))
  const own = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  const options: MineHardNegativesOptions = { ...(given.difficulty && DIFFICULTIES[given.difficulty]), ...own }
  for (const name of NUMBERS) {
    const value: unknown = options[name]
    if (value !== undefined && !Number.isFinite(value)) throw invalidArgument(name, 'a finite number', value)
  }
  for (const name of TEXTS) checkType(name, options[name], 'string')
  checkInteger('rangeMin', options.rangeMin, 0)
  checkInteger('rangeMax', options.rangeMax, 1)
  checkInteger('numNegatives', options.numNegatives, 1)
  checkInteger('seed', options.seed, 0)
  checkInteger('batchSize', options.batchSize, 1)
  checkOneOf('samplingStrategy', options.samplingStrategy, ['top', 'random'])
  checkOneOf('outputFormat', options.outputFormat, OUTPUT_FORMATS, ['n-tuple-scores'])
  checkType('includePositives', options.includePositives, 'boolean')
  checkType('outputScores', options.outputScores, 'boolean')
  const { verbose = true, corpus, crossEncoder, includePositives = false } = options
  if (typeof verbose !== 'boolean' && typeof verbose?.write !== 'function') {
    throw invalidArgument('verbose', 'true, false or an object with write()', verbose)
  }
  if (corpus !== undefined) checkTexts(corpus)
  if (crossEncoder !== undefined && typeof crossEncoder?.predict !== 'function') {
    throw invalidArgument('crossEncoder', 'an object with predict()', crossEncoder)
  }
  checkJudges(options)
  if (crossEncoder !== undefined && !usesScores(options)) {
    throw refused(
      'crossEncoder rescores only for absoluteMargin, relativeMargin, maxScore or minScore; give one of them',
    )
  }
  for (const side of ['query', 'corpus'] as const) {
    if (options[`${side}Prompt`] === undefined || options[`${side}PromptName`] === undefined) continue
    throw refused(`Expected ${side}Prompt or ${side}PromptName, but received both`)
  }
  const outputFormat = options.outputFormat ?? (includePositives ? 'n-tuple' : 'triplet')
  if (includePositives && outputFormat !== 'n-tuple') {
    throw refused(`includePositives keeps the order of the ranking, which only "n-tuple" has, not "${outputFormat}"`)
  }
  const defaults = { rangeMin: 0, numNegatives: 3, samplingStrategy: 'top', seed: 42, outputScores: false } as const
  // A copy, so that later changes of the caller's array have no effect.
  const texts = corpus && { corpus: corpus.slice() }
  return { ...defaults, batchSize: 32, ...options, ...texts, verbose, includePositives, outputFormat }
}

function checkJudges(options: MineHardNegativesOptions): void {
  const { judge, writer, corpus, includePositives, onStatistics, rangeMin, difficulty } = options
  if (judge !== undefined && typeof judge?.judge !== 'function') {
    throw invalidArgument('judge', 'an object with judge()', judge)
  }
  if (writer !== undefined && typeof writer?.write !== 'function') {
    throw invalidArgument('writer', 'an object with write()', writer)
  }
  if (onStatistics !== undefined && typeof onStatistics !== 'function') {
    throw invalidArgument('onStatistics', 'a function', onStatistics)
  }
  if (writer && corpus)
    throw refused('writer writes all candidates: leave corpus out, in which none would be searched for')
  if (writer && rangeMin) {
    const found = `${rangeMin}${difficulty ? `, with difficulty ${difficulty}` : ''}`
    throw refused(
      `writer writes no more than numNegatives candidates, of which none may be skipped: expected rangeMin 0, found ${found}`,
    )
  }
  if (includePositives && (judge || writer)) {
    throw refused(`includePositives keeps the whole ranking, which ${judge ? 'judge' : 'writer'} would change`)
  }
}

/** Whether more candidates are needed than negatives, because some may be refused. */
function isSelective(options: MineHardNegativesOptions): boolean {
  return usesScores(options) || options.judge !== undefined
}

/**
 * Whether candidates may be refused for their score, so that more of them are needed. The model's own scores decrease with
 * the rank, so `minScore` refuses only the last candidates. Scores of a cross-encoder may be low at any rank.
 */
function usesScores(options: MineHardNegativesOptions): boolean {
  const { absoluteMargin, relativeMargin, maxScore, minScore, crossEncoder } = options
  if (absoluteMargin !== undefined || relativeMargin !== undefined || maxScore !== undefined) return true
  return crossEncoder !== undefined && minScore !== undefined
}

/** @throws SentenceTorchError ERR_INVALID_ARGUMENT when no `numNegatives` candidates are left from rangeMin to rangeMax */
export function rangeMaxOf(plan: MiningPlan, maxPositives: number): number {
  const { rangeMin, numNegatives } = plan
  const rangeMax = plan.rangeMax ?? rangeMin + numNegatives * (isSelective(plan) ? 10 : 1) + maxPositives
  if (numNegatives <= rangeMax - rangeMin) return rangeMax
  throw refused(
    `Expected rangeMax of at least rangeMin + numNegatives = ${rangeMin + numNegatives}, but received ${rangeMax}`,
  )
}

function refused(message: string): SentenceTorchError {
  return new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
}

function checkTexts(corpus: readonly unknown[]): void {
  if (!Array.isArray(corpus)) throw invalidArgument('corpus', 'an array of strings', corpus)
  const wrong = corpus.findIndex((text) => typeof text !== 'string')
  if (wrong !== -1) throw invalidArgument(`corpus[${wrong}]`, 'a string', corpus[wrong])
}
