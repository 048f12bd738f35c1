import { TimeSlice } from '../data/time-slice.js'
import { invalidArgument } from '../errors.js'
import { checkInteger, checkOptions, checkType } from '../options.js'
import { paraphraseMiningEmbeddings } from '../search/paraphrase-mining.js'
import { COMMON_OPTIONS, type CommonOptions, checkCommon, contextCells, invalidData, named, suffix } from './common.js'
import { appendCsv, pythonFloat } from './csv.js'
import { DuplicatePairs, type Duplicates } from './duplicate-pairs.js'
import { embed } from './embed.js'
import type { EvaluatedModel, EvaluationContext, EvaluationResult } from './evaluator.js'
import { type TextsById, textEntries } from './ir-options.js'
import { SentenceEvaluator } from './sentence-evaluator.js'

/** `batchSize` is 16 unless given; the CSV file is `paraphrase_mining_evaluation_{name}_results.csv`. */
export interface ParaphraseMiningEvaluatorOptions extends CommonOptions {
  /** Texts by id. */
  sentencesMap: TextsById
  /** Pairs of ids with the same meaning. Pairs with an unknown id are left out. */
  duplicatesList?: readonly (readonly [string, string])[]
  /** The same in the form `{ id: { otherId: true } }`. May be given together with the list. */
  duplicatesDict?: Duplicates
  /** Whether a duplicate's duplicates are duplicates. Default false. */
  addTransitiveClosure?: boolean
  /** Limit of texts that the engine compares in one job. Does not change the result. Default 5000. */
  queryChunkSize?: number
  /** Limit of texts that each of them is compared with in one job. Does not change the result. Default 100,000. */
  corpusChunkSize?: number
  /** Limit of pairs. Default 500,000. */
  maxPairs?: number
  /** Limit of other texts for every text. Default 100. */
  topK?: number
}

const SEARCH = ['queryChunkSize', 'corpusChunkSize', 'maxPairs', 'topK'] as const

/**
 * How well the most similar pairs of all texts, by cosine, match the known duplicates. Pairs of equal score count as one step: a
 * threshold takes all of them or none.
 *
 * Metrics: `average_precision` (the primary one), and `f1`, `precision`, `recall`, `threshold` at the best F1.
 * Source: sentence-transformers `ParaphraseMiningEvaluator`.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_INVALID_DATA (texts, ids)
 */
export class ParaphraseMiningEvaluator extends SentenceEvaluator {
  override readonly name: string
  readonly #options: ParaphraseMiningEvaluatorOptions
  readonly #ids: readonly string[]
  readonly #texts: readonly string[]
  readonly #duplicates: DuplicatePairs

  constructor(options: ParaphraseMiningEvaluatorOptions) {
    super()
    const where = 'ParaphraseMiningEvaluator'
    const names = ['sentencesMap', 'duplicatesList', 'duplicatesDict', 'addTransitiveClosure']
    checkOptions(where, options, [...names, ...SEARCH, ...COMMON_OPTIONS])
    checkCommon(where, options)
    for (const name of SEARCH) checkInteger(`${where} ${name}`, options[name], 1)
    checkType(`${where} addTransitiveClosure`, options.addTransitiveClosure, 'boolean')
    checkType(`${where} duplicatesDict`, options.duplicatesDict, 'object')
    const { duplicatesList = [], duplicatesDict = {} } = options
    const fits = (pair: unknown) =>
      Array.isArray(pair) && pair.length === 2 && pair.every((id) => typeof id === 'string')
    if (!Array.isArray(duplicatesList) || !duplicatesList.every(fits)) {
      throw invalidArgument(`${where} duplicatesList`, 'an array of pairs of ids', duplicatesList)
    }
    const entries = textEntries(`${where} sentencesMap`, options.sentencesMap)
    if (entries.length < 2) throw invalidData(`${where}: expected at least 2 texts but received ${entries.length}`)
    this.#ids = entries.map(([id]) => id)
    this.#texts = entries.map(([, text]) => text)
    this.#duplicates = new DuplicatePairs(new Set(this.#ids), duplicatesList, duplicatesDict)
    if (options.addTransitiveClosure) this.#duplicates.addTransitiveClosure()
    this.name = options.name ?? ''
    this.#options = { batchSize: 16, ...options }
  }

  async evaluate(model: EvaluatedModel, context: EvaluationContext = {}): Promise<EvaluationResult> {
    const metrics = await this.#measure(model, context)
    if (context.outputPath !== undefined && (this.#options.writeCsv ?? true)) {
      const { precision, recall, f1, threshold, average_precision, found } = metrics
      const best = [precision, recall, f1, threshold].map((value) => (found ? pythonFloat(value) : '0'))
      // With nothing added to the sum, or without duplicates, Python has an integer or 0 / n.
      const ap = this.#duplicates.count === 0 ? '0' : pythonFloat(average_precision)
      await appendCsv(
        context.outputPath,
        `paraphrase_mining_evaluation${suffix(this.name)}_results.csv`,
        ['epoch', 'steps', 'precision', 'recall', 'f1', 'threshold', 'average_precision'],
        [...contextCells(context), ...best, ap],
      )
    }
    const { found: _, ...values } = metrics
    return named(this.name, values, 'average_precision')
  }

  async #measure(model: EvaluatedModel, context: EvaluationContext) {
    const rows = await embed(model, 'encode', this.#texts, this.#options, context)
    const search = Object.fromEntries(
      SEARCH.flatMap((name) => (this.#options[name] === undefined ? [] : [[name, this.#options[name]]])),
    )
    const pairs = await paraphraseMiningEmbeddings(rows, {
      ...search,
      ...(context.signal && { signal: context.signal }),
    })
    const total = this.#duplicates.count
    const best = { average_precision: 0, f1: 0, precision: 0, recall: 0, threshold: 0, found: false }
    let [correct, before, sum] = [0, 0, 0]
    const slice = new TimeSlice()
    for (const [i, [score, a, b]] of pairs.entries()) {
      if (i % 1024 === 0) await slice.yield()
      if (this.#duplicates.has(this.#ids[a]!, this.#ids[b]!)) correct++
      const next = pairs[i + 1]?.[0] ?? score
      if (correct === before || (i + 1 < pairs.length && next === score)) continue
      const [precision, recall] = [correct / (i + 1), correct / total]
      const f1 = (2 * precision * recall) / (precision + recall)
      sum += precision * (correct - before)
      before = correct
      if (f1 > best.f1) Object.assign(best, { f1, precision, recall, threshold: (score + next) / 2, found: true })
    }
    best.average_precision = total > 0 ? sum / total : 0
    return best
  }
}
