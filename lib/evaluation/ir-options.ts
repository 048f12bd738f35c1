/** Options of the retrieval evaluators and their checks. */
import { describe, invalidArgument } from '../errors.js'
import { checkInteger, checkOneOf, checkType, isPlainObject } from '../options.js'
import type { ScoreFunction } from '../search/score-function.js'
import { type CommonOptions, checkTexts, type EvaluatorKind, invalidData } from './common.js'
import type { EvaluatedModel } from './evaluator.js'
import { type Cutoffs, DEFAULT_CUTOFFS } from './ir-metrics.js'

/** Texts by id. */
export type TextsById = ReadonlyMap<string, string> | Readonly<Record<string, string>>
/** Ids of the relevant documents by query id. */
export type RelevantDocs = ReadonlyMap<string, Iterable<string>> | Readonly<Record<string, Iterable<string>>>

/** Options for retrieval on one set and on several sets. */
export interface RetrievalOptions extends CommonOptions, Partial<Cutoffs> {
  /**
   * Scores to measure, by name: metrics or functions of `util`, `{ cosine: 'cosine', mine: util.dotScore }`. Default: the
   * model's own.
   */
  scoreFunctions?: Readonly<Record<string, ScoreFunction>>
  /** Name of the score of the primary metric. Default: the one of `scoreFunctions` that is best at the first evaluation. */
  mainScoreFunction?: string
  /** Documents that are embedded and searched at once. Bounds the memory and does not change the result. Default 50,000. */
  corpusChunkSize?: number
  /** Write each query's hits to `Information-Retrieval_evaluation_{name}_predictions_{fn}.jsonl`. Default false. */
  writePredictions?: boolean
}

const CUTOFFS = ['accuracyAtK', 'precisionRecallAtK', 'mrrAtK', 'ndcgAtK', 'mapAtK'] as const
export const RETRIEVAL_OPTIONS = [
  ...CUTOFFS,
  ...['scoreFunctions', 'mainScoreFunction', 'corpusChunkSize', 'writePredictions'],
]

export function checkRetrieval({ where, similarities, metricOf }: EvaluatorKind, options: RetrievalOptions): void {
  checkInteger(`${where} corpusChunkSize`, options.corpusChunkSize, 1)
  checkType(`${where} writePredictions`, options.writePredictions, 'boolean')
  for (const name of CUTOFFS) {
    const list: unknown = options[name]
    if (list === undefined) continue
    if (!Array.isArray(list) || list.length === 0)
      throw invalidArgument(`${where} ${name}`, 'an array of numbers', list)
    for (const k of list) checkInteger(`${where} ${name}`, k ?? null, 1)
  }
  const { scoreFunctions, mainScoreFunction } = options
  checkType(`${where} scoreFunctions`, scoreFunctions, 'object')
  checkType(`${where} mainScoreFunction`, mainScoreFunction, 'string')
  if (scoreFunctions === undefined) {
    checkOneOf(`${where} mainScoreFunction`, mainScoreFunction, similarities)
    return
  }
  const names = Object.keys(scoreFunctions)
  if (names.length === 0) throw invalidArgument(`${where} scoreFunctions`, 'at least one function', scoreFunctions)
  for (const name of names) metricOf(scoreFunctions[name] ?? null)
  checkOneOf(`${where} mainScoreFunction`, mainScoreFunction, names)
}

/**
 * The scores to measure, by name: the given functions, or the model's similarity at this call.
 * @throws ERR_INVALID_ARGUMENT unless the main score is among them
 */
export function measuredScores(
  { scoreFunctions, mainScoreFunction }: RetrievalOptions,
  { similarityFnName }: Pick<EvaluatedModel, 'similarityFnName'>,
): [name: string, score: ScoreFunction][] {
  if (scoreFunctions !== undefined) return Object.entries(scoreFunctions)
  if (mainScoreFunction !== undefined && mainScoreFunction !== similarityFnName) {
    const expected = `${similarityFnName}, the similarity of the model, which alone is measured without scoreFunctions`
    throw invalidArgument('mainScoreFunction', expected, mainScoreFunction)
  }
  return [[similarityFnName, similarityFnName]]
}

/** The score that compares models: the main one, else the given function that was best at the first evaluation. */
export class PrimaryScore {
  readonly #options: RetrievalOptions
  #best: string | undefined

  constructor(options: RetrievalOptions) {
    this.#options = options
  }

  /** @param names the measured scores; `value` gives the value of each */
  of(names: readonly string[], value: (name: string) => number): string {
    const { mainScoreFunction, scoreFunctions } = this.#options
    if (mainScoreFunction !== undefined) return mainScoreFunction
    const best = () => names.reduce((a, b) => (value(b) > value(a) ? b : a))
    // The model's own similarity is not remembered, because the next model may have another one.
    if (scoreFunctions === undefined) return best()
    this.#best ??= best()
    return this.#best
  }
}

export function cutoffsOf(options: Partial<Cutoffs>): Cutoffs {
  return Object.fromEntries(CUTOFFS.map((name) => [name, options[name] ?? DEFAULT_CUTOFFS[name]])) as unknown as Cutoffs
}

/** Entries of a map or a plain object; `name` for errors. */
export function entriesOf<T>(name: string, value: ReadonlyMap<string, T> | Readonly<Record<string, T>>): [string, T][] {
  if (value instanceof Map) return [...value]
  if (!isPlainObject(value)) throw invalidArgument(name, 'a Map or an object by id', value)
  return Object.entries(value) as [string, T][]
}

/** Ids and texts, checked. */
export function textEntries(name: string, texts: TextsById): [string, string][] {
  const entries = entriesOf(name, texts)
  checkTexts(
    name,
    entries.map(([, text]) => text),
  )
  const wrong = entries.find(([id]) => typeof id !== 'string')
  if (wrong) throw invalidData(`Expected strings as ids in ${name} but found ${describe(wrong[0])}`)
  return entries
}

/** Compares texts by code points, as Python does. JavaScript compares UTF-16 units. */
export function comparePython(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)]
    // A surrogate belongs to a code point above all others.
    if (x !== y) return (isSurrogate(x) ? x + 0x10000 : x) - (isSurrogate(y) ? y + 0x10000 : y)
  }
  return a.length - b.length
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff
}

export function relevantSets(name: string, relevant: RelevantDocs): Map<string, Set<string>> {
  return new Map(
    entriesOf<Iterable<string>>(name, relevant).map(([id, documents]) => {
      if (typeof documents === 'string' || typeof documents?.[Symbol.iterator] !== 'function') {
        throw invalidArgument(`${name}.${id}`, 'a set or an array of document ids', documents)
      }
      return [id, new Set(documents)]
    }),
  )
}
