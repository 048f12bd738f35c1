/** Shared parts of the evaluators: options with one meaning everywhere, their checks, and the form of a result. */
import { describe, invalidArgument, SentenceTorchError } from '../errors.js'
import { checkInteger, checkOneOf, checkOptions, checkType, listOfNames } from '../options.js'
import { metricOf } from '../search/score-function.js'
import { pythonFloat } from './csv.js'
import type { EvaluatedRows, EvaluationContext, EvaluationResult, MetricItems } from './evaluator.js'

export { mean } from './mean.js'

export const SIMILARITY_NAMES = ['cosine', 'dot', 'euclidean', 'manhattan'] as const
export type SimilarityName = (typeof SIMILARITY_NAMES)[number]

/** @internal What an evaluator over another kind of rows changes of the one over embeddings. */
export interface EvaluatorKind {
  /** The name of the class, for errors. */
  where: string
  /** How rows can be compared. */
  similarities: readonly string[]
  /** The similarity that a score function of the caller stands for. */
  metricOf(score: unknown): string
}

/** @internal */
export function denseKind(where: string): EvaluatorKind {
  return { where, similarities: SIMILARITY_NAMES, metricOf }
}

export interface CommonOptions {
  /** Prefix of every metric, and part of the CSV file's name. Default: none. */
  name?: string
  /** Texts per batch of `encode`. */
  batchSize?: number
  /** Default false. */
  showProgressBar?: boolean
  /** Append a row to a CSV file in the output path. Default true. */
  writeCsv?: boolean
  /** Compare only the first dimensions of the embeddings. Default: the model's. */
  truncateDim?: number
}

export const COMMON_OPTIONS = ['name', 'batchSize', 'showProgressBar', 'writeCsv', 'truncateDim'] as const

/** Checks the options of `CommonOptions` that are given; names are checked by `checkOptions`. */
export function checkCommon(where: string, options: CommonOptions): void {
  checkInteger(`${where} batchSize`, options.batchSize, 1)
  checkInteger(`${where} truncateDim`, options.truncateDim, 1)
  checkType(`${where} showProgressBar`, options.showProgressBar, 'boolean')
  checkType(`${where} writeCsv`, options.writeCsv, 'boolean')
  const { name } = options
  if (name !== undefined && (typeof name !== 'string' || /[/\\]/.test(name))) {
    throw invalidArgument(`${where} name`, 'a text without slashes', name)
  }
}

/** Checks the arguments of `evaluate` after the model. @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION */
export function checkContext(context: EvaluationContext): void {
  checkOptions('evaluate', context, ['outputPath', 'epoch', 'steps', 'signal', 'items'])
  checkType('outputPath', context.outputPath, 'string')
  checkType('items', context.items, 'boolean')
}

/** Checks `similarityFnNames`, and the main one among them. */
export function checkSimilarities(
  where: string,
  names: string | readonly string[] | undefined,
  main?: string,
  known: readonly string[] = SIMILARITY_NAMES,
): void {
  checkOneOf(`${where} mainSimilarity`, main, known)
  const list = listOfNames(`${where} similarityFnNames`, names ?? [])
  for (const name of list) checkOneOf(`${where} similarityFnNames`, name, known)
  if (main !== undefined && list.length > 0 && !list.includes(main)) {
    throw invalidArgument(`${where} mainSimilarity`, `one of similarityFnNames (${list.join(', ')})`, main)
  }
}

/** Checks that `columns` are arrays of one length with at least one row, and that those named in `texts` hold strings. */
export function checkColumns(
  where: string,
  columns: Readonly<Record<string, readonly unknown[]>>,
  texts: readonly string[],
): void {
  const names = Object.keys(columns)
  for (const name of names) {
    const column: unknown = columns[name]
    if (!Array.isArray(column)) throw invalidArgument(`${where} ${name}`, 'an array', column)
  }
  const lengths = names.map((name) => columns[name]!.length)
  if (lengths.some((length) => length !== lengths[0])) {
    throw invalidData(`${where}: expected as many ${names.join(' as ')} but received ${lengths.join(', ')}`)
  }
  if (lengths[0] === 0) throw invalidData(`${where}: expected at least one row but ${names[0]} is empty`)
  for (const name of texts) checkTexts(`${where} ${name}`, columns[name]!)
}

/** Checks that every entry is a string, and names the first that is not. */
export function checkTexts(name: string, texts: readonly unknown[]): void {
  if (!Array.isArray(texts)) throw invalidArgument(name, 'an array of strings', texts)
  const wrong = texts.findIndex((text) => typeof text !== 'string')
  if (wrong !== -1) throw invalidData(`Expected a string in ${name}, row ${wrong}, but found ${describe(texts[wrong])}`)
}

export function invalidData(message: string): SentenceTorchError {
  return new SentenceTorchError('ERR_INVALID_DATA', message)
}

/** The metrics, the name of the primary one, and what metrics are made of, with the evaluator's name as a prefix; and the rows. */
export function named(
  name: string,
  metrics: Readonly<Record<string, number>>,
  primary: string,
  items?: Readonly<Record<string, MetricItems>>,
  rows?: EvaluatedRows,
): EvaluationResult {
  const prefix = name === '' ? '' : `${name}_`
  const prefixed = <T>(values: Readonly<Record<string, T>>): Record<string, T> =>
    Object.fromEntries(Object.entries(values).map(([key, value]) => [prefix + key, value]))
  return {
    metrics: prefixed(metrics),
    primaryMetric: prefix + primary,
    ...(items && { items: prefixed(items) }),
    ...(rows && { rows }),
  }
}

/** `_name`, or nothing without a name: a part of file names. */
export function suffix(name: string): string {
  return name === '' ? '' : `_${name}`
}

/** The cells `epoch` and `steps` in Python's form: −1 is an integer, an epoch of the trainer a float. */
export function contextCells({ epoch = -1, steps = -1 }: EvaluationContext): [string, string] {
  return [epoch === -1 ? '-1' : pythonFloat(epoch), String(steps)]
}
