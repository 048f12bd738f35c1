import { describe, invalidArgument } from '../../errors.js'
import { MAX_SIM_NAMES, type MaxSimName } from '../../models/multi-vector/folder.js'
import { maxSimPairs } from '../../models/multi-vector/scores.js'
import { TokenEmbeddings } from '../../models/token-embeddings.js'
import { checkOneOf, checkOptions, ownCopy } from '../../options.js'
import { type CommonOptions, checkColumns, checkCommon, checkTexts, invalidData, named, suffix } from '../common.js'
import { spearmanInSlices } from '../correlation.js'
import { pythonFloat } from '../csv.js'
import { appendRow } from '../csv-row.js'
import { embedRows } from '../embed.js'
import type { EvaluationContext, EvaluationResult } from '../evaluator.js'
import { SentenceEvaluator } from '../sentence-evaluator.js'
import { asEvaluated, checkTokenOptions, type EvaluatedMultiVectorModel } from './model.js'

/** `batchSize` is 16 unless given; the CSV file is `distillation_evaluation_{name}_results.csv`. */
export interface MultiVectorDistillationEvaluatorOptions extends Omit<CommonOptions, 'truncateDim'> {
  queries: readonly string[]
  /** One document for each query, or as many candidates for each. */
  documents: readonly string[] | readonly (readonly string[])[]
  /** The teacher's score of each document, in the form of `documents`. */
  scores: readonly number[] | readonly (readonly number[])[]
  /** Divides the scores of both sides, as in MultiVectorDistillKLDivLoss. Default 1. */
  temperature?: number
  /** Default `temperature`. */
  studentTemperature?: number
  /** Default `temperature`. */
  teacherTemperature?: number
  /** The score of the student: a similarity, or a function of query i and document i: [queries]. Default: the model's similarity. */
  similarityFct?:
    | MaxSimName
    | ((queries: TokenEmbeddings, documents: TokenEmbeddings) => Float32Array | Promise<Float32Array>)
}

/**
 * How close the scores of a multi-vector model are to those of a teacher. With candidates: the KL divergence of the distributions
 * over the candidates of each query (times the square of the student's temperature), and Spearman's correlation of their scores,
 * means over the queries; a query whose scores are all equal on a side has no correlation and does not count. With one document
 * for each query: one distribution and one correlation over all of them.
 *
 * Metrics: `kl_divergence` (less is better), `spearman`, the primary one, 0 where there is none.
 * Source: sentence-transformers `MultiVectorDistillationEvaluator`.
 *
 * @throws ERR_INVALID_ARGUMENT (also during evaluation: a model that is no MultiVectorEncoder), ERR_UNKNOWN_OPTION, ERR_INVALID_DATA
 */
export class MultiVectorDistillationEvaluator extends SentenceEvaluator<EvaluatedMultiVectorModel> {
  override readonly name: string
  readonly #options: MultiVectorDistillationEvaluatorOptions
  /** The candidates of each query; one row of all documents where each query has one. */
  readonly #isNested: boolean

  constructor(options: MultiVectorDistillationEvaluatorOptions) {
    super()
    const where = 'MultiVectorDistillationEvaluator'
    checkTokenOptions(where, options)
    checkOptions(where, options, [
      ...['queries', 'documents', 'scores', 'temperature', 'studentTemperature', 'teacherTemperature', 'similarityFct'],
      ...['name', 'batchSize', 'showProgressBar', 'writeCsv'],
    ])
    checkCommon(where, options)
    for (const name of ['temperature', 'studentTemperature', 'teacherTemperature'] as const) {
      const value = options[name]
      if (value !== undefined && !(typeof value === 'number' && value > 0 && value < Number.POSITIVE_INFINITY))
        throw invalidArgument(`${where} ${name}`, 'a number above 0', value)
    }
    if (typeof options.similarityFct !== 'function')
      checkOneOf(`${where} similarityFct`, options.similarityFct, MAX_SIM_NAMES)
    const { queries, documents, scores } = options
    checkColumns(where, { queries, documents, scores }, ['queries'])
    this.#isNested = Array.isArray(documents[0])
    if (this.#isNested) checkCandidates(where, documents, scores)
    else {
      checkTexts(`${where} documents`, documents)
      checkScores(`${where} scores`, scores)
    }
    this.name = options.name ?? ''
    this.#options = { batchSize: 16, ...ownCopy(options) }
  }

  async evaluate(model: EvaluatedMultiVectorModel, context: EvaluationContext = {}): Promise<EvaluationResult> {
    const { scores, temperature = 1, writeCsv = true } = this.#options
    const { studentTemperature = temperature, teacherTemperature = temperature } = this.#options
    const student = await this.#student(model, context)
    const teacher = this.#isNested ? (scores as readonly (readonly number[])[]) : [scores as readonly number[]]
    const rows = this.#isNested ? student : [student.map(([score]) => score!)]
    const divergences = rows.map((row, i) =>
      divergence(logSoftmax(teacher[i]!, teacherTemperature), logSoftmax(row, studentTemperature)),
    )
    const correlations: number[] = []
    for (const [i, row] of rows.entries()) {
      const correlation = await spearmanInSlices(Float32Array.from(teacher[i]!), row)
      if (!Number.isNaN(correlation)) correlations.push(correlation)
    }
    const average = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
    const metrics = {
      kl_divergence: average(divergences) * studentTemperature ** 2,
      spearman: correlations.length === 0 ? 0 : average(correlations),
    }
    if (context.outputPath !== undefined && writeCsv) {
      const file = `distillation_evaluation${suffix(this.name)}_results.csv`
      await appendRow(context, file, Object.keys(metrics), Object.values(metrics).map(pythonFloat))
    }
    return named(this.name, metrics, 'spearman')
  }

  /** The model's scores: [queries, candidates]. */
  async #student(model: EvaluatedMultiVectorModel, context: EvaluationContext): Promise<number[][]> {
    const { queries, documents, similarityFct = model.similarityFnName } = this.#options
    const evaluated = asEvaluated(model)
    const asked = (await embedRows(evaluated, 'encodeQuery', queries, this.#options, context)) as TokenEmbeddings
    const texts = documents.flat()
    const all = (await embedRows(evaluated, 'encodeDocument', texts, this.#options, context)) as TokenEmbeddings
    const ways = texts.length / queries.length
    const out: number[][] = queries.map(() => [])
    for (let way = 0; way < ways; way++) {
      const rows = queries.map((_, i) => all.row(i * ways + way))
      const there = TokenEmbeddings.fromRows(rows, all.dimension)
      const pairs =
        typeof similarityFct === 'function'
          ? await similarityFct(asked, there)
          : await maxSimPairs(similarityFct, asked, there)
      if (!(pairs instanceof Float32Array) || pairs.length !== queries.length)
        throw invalidArgument('the result of similarityFct', `${queries.length} similarities`, pairs)
      pairs.forEach((score, i) => {
        out[i]!.push(score)
      })
    }
    return out
  }
}

function checkCandidates(where: string, documents: readonly unknown[], scores: readonly unknown[]): void {
  const ways = (documents[0] as readonly unknown[]).length
  documents.forEach((row, i) => {
    checkTexts(`${where} documents[${i}]`, row as readonly unknown[])
    for (const [name, list] of [
      ['documents', row],
      ['scores', scores[i]],
    ] as const)
      if (!Array.isArray(list) || list.length !== ways || ways === 0)
        throw invalidData(`${where}: expected ${ways || 'some'} ${name} for query ${i} but found ${describe(list)}`)
    checkScores(`${where} scores[${i}]`, scores[i] as readonly unknown[])
  })
}

function checkScores(name: string, scores: readonly unknown[]): void {
  const wrong = scores.findIndex((score) => typeof score !== 'number' || !Number.isFinite(score))
  if (wrong !== -1)
    throw invalidData(`Expected a finite number in ${name}, row ${wrong}, but found ${describe(scores[wrong])}`)
}

function logSoftmax(scores: readonly number[], temperature: number): number[] {
  const scaled = scores.map((score) => score / temperature)
  const largest = scaled.reduce((a, b) => Math.max(a, b))
  const sum = scaled.reduce((total, score) => total + Math.exp(score - largest), 0)
  return scaled.map((score) => score - largest - Math.log(sum))
}

/** Σ pᵢ (log pᵢ − log qᵢ) */
function divergence(p: readonly number[], q: readonly number[]): number {
  return p.reduce((sum, log, i) => sum + Math.exp(log) * (log - q[i]!), 0)
}
