import { join } from 'node:path'
import { invalidArgument } from '../errors.js'
import { checkOptions, checkType } from '../options.js'
import { type BeirDataset, loadBeir } from './beir.js'
import { type CommonOptions, checkCommon, contextCells, mean } from './common.js'
import { appendCsv, pythonFloat } from './csv.js'
import type { EvaluatedModel, EvaluationContext, EvaluationResult, Evaluator } from './evaluator.js'
import { InformationRetrievalEvaluator } from './information-retrieval.js'
import { csvHeader, csvMetrics } from './ir-metrics.js'
import { checkRetrieval, comparePython, cutoffsOf, RETRIEVAL_OPTIONS, type RetrievalOptions } from './ir-options.js'
import { NANO_BEIR_NAMES } from './nano-beir-names.js'

type Prompts = string | Readonly<Record<string, string>>

/** `batchSize` is 32 unless given; the CSV file is `NanoBEIR_evaluation_{aggregateKey}_results.csv`. */
export interface NanoBEIREvaluatorOptions extends Omit<RetrievalOptions, keyof Pick<CommonOptions, 'name'>> {
  /** A folder with a folder in the BEIR layout for each of `datasetNames`: `NanoMSMARCO`, `NanoNQ`, … */
  folder?: string
  /** Sets of `folder`. Default: all 13 of NanoBEIR (`msmarco`, `nq`, …). */
  datasetNames?: readonly string[]
  /** In place of `folder`: where each set lies, or the set itself, by name. Names other than NanoBEIR's are fine. */
  datasets?: Readonly<Record<string, string | BeirDataset>>
  /** One number from those of all sets. Default: their mean. */
  aggregateFn?: (values: readonly number[]) => number
  /** What `aggregateFn` is called in the metrics. Default `mean`. */
  aggregateKey?: string
  /** In front of every query, for all sets or by the set's name. */
  queryPrompts?: Prompts
  /** In front of every document, for all sets or by the set's name. */
  corpusPrompts?: Prompts
}

/**
 * Retrieval on several small sets, NanoBEIR's or others, from local folders in the BEIR layout (see `loadBeir`), which are
 * read at the first evaluation.
 *
 * Metrics: those of InformationRetrievalEvaluator for every set, as `Nano{Set}_{fn}_…`, then over all sets as
 * `NanoBEIR_{aggregateKey}_{fn}_…`; with `truncateDim` its number comes behind both names.
 * Primary: `NanoBEIR_{aggregateKey}_{fn}_ndcg@{largest k}`. Source: sentence-transformers `NanoBEIREvaluator`.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_NOT_IMPLEMENTED (`datasetId`: sets from the hub); when evaluated
 *   ERR_NOT_FOUND, ERR_INVALID_DATA
 */
export class NanoBEIREvaluator implements Evaluator {
  readonly name: string
  readonly #options: NanoBEIREvaluatorOptions
  readonly #sources: ReadonlyMap<string, string | BeirDataset>
  #evaluators: Promise<InformationRetrievalEvaluator[]> | undefined
  #primaryScore: string | undefined

  constructor(options: NanoBEIREvaluatorOptions) {
    const where = 'NanoBEIREvaluator'
    const own = ['folder', 'datasetNames', 'datasets', 'aggregateFn', 'aggregateKey', 'queryPrompts', 'corpusPrompts']
    const common = ['batchSize', 'showProgressBar', 'writeCsv', 'truncateDim']
    checkOptions(where, options, [...own, ...common, ...RETRIEVAL_OPTIONS], {
      datasetId: { instead: 'download the sets and pass their folder' },
    })
    checkCommon(where, options)
    checkRetrieval(where, options)
    checkType(`${where} aggregateFn`, options.aggregateFn, 'function')
    checkType(`${where} aggregateKey`, options.aggregateKey, 'string')
    this.#sources = sourcesOf(where, options)
    for (const name of ['queryPrompts', 'corpusPrompts'] as const) this.#checkPrompts(`${where} ${name}`, options[name])
    this.#options = { ...options }
    this.name = `NanoBEIR_${options.aggregateKey ?? 'mean'}${truncation(options)}`
  }

  async evaluate(model: EvaluatedModel, context: EvaluationContext = {}): Promise<EvaluationResult> {
    const { aggregateFn = mean, scoreFunctions, writeCsv = true } = this.#options
    this.#evaluators ??= this.#load()
    const metrics: Record<string, number> = {}
    const values = new Map<string, number[]>()
    for (const evaluator of await this.#evaluators) {
      const result = await evaluator.evaluate(model, context)
      for (const [key, value] of Object.entries(result.metrics)) {
        metrics[key] = value
        const metric = key.slice(evaluator.name.length + 1)
        values.set(metric, [...(values.get(metric) ?? []), value])
      }
    }
    const overall = new Map([...values].map(([metric, list]) => [metric, aggregateFn(list)]))
    const names = scoreFunctions ? Object.keys(scoreFunctions).sort(comparePython) : [model.similarityFnName]
    if (context.outputPath !== undefined && writeCsv) await this.#write(context.outputPath, context, names, overall)
    for (const [metric, value] of overall) metrics[`${this.name}_${metric}`] = value
    const top = `ndcg@${Math.max(...cutoffsOf(this.#options).ndcgAtK)}`
    const best = () => names.reduce((a, b) => (overall.get(`${b}_${top}`)! > overall.get(`${a}_${top}`)! ? b : a))
    this.#primaryScore ??= this.#options.mainScoreFunction ?? best()
    return { metrics, primaryMetric: `${this.name}_${this.#primaryScore}_${top}` }
  }

  async #load(): Promise<InformationRetrievalEvaluator[]> {
    const { queryPrompts, corpusPrompts, ...rest } = this.#options
    const own = new Set(['folder', 'datasetNames', 'datasets', 'aggregateFn', 'aggregateKey'])
    const shared = Object.fromEntries(Object.entries(rest).filter(([name]) => !own.has(name))) as RetrievalOptions
    const evaluators: InformationRetrievalEvaluator[] = []
    for (const [name, source] of this.#sources) {
      const set = typeof source === 'string' ? await loadBeir(source) : source
      const [queryPrompt, corpusPrompt] = [promptFor(queryPrompts, name), promptFor(corpusPrompts, name)]
      evaluators.push(
        new InformationRetrievalEvaluator({
          ...shared,
          ...set,
          name: nanoName(name) + truncation(this.#options),
          ...(queryPrompt !== undefined && { queryPrompt }),
          ...(corpusPrompt !== undefined && { corpusPrompt }),
        }),
      )
    }
    return evaluators
  }

  async #write(
    folder: string,
    context: EvaluationContext,
    names: readonly string[],
    values: ReadonlyMap<string, number>,
  ): Promise<void> {
    const metrics = csvMetrics(cutoffsOf(this.#options))
    const columns = names.flatMap((name) => metrics.map((metric) => [name, metric] as const))
    await appendCsv(
      folder,
      `NanoBEIR_evaluation_${this.#options.aggregateKey ?? 'mean'}_results.csv`,
      ['epoch', 'steps', ...columns.map(([name, metric]) => csvHeader(name, metric))],
      [...contextCells(context), ...columns.map(([name, metric]) => pythonFloat(values.get(`${name}_${metric}`)!))],
      '\n',
    )
  }

  #checkPrompts(where: string, prompts: Prompts | undefined): void {
    if (prompts === undefined || typeof prompts === 'string') return
    checkType(where, prompts, 'object')
    const missing = [...this.#sources.keys()].filter((name) => typeof prompts[name] !== 'string')
    if (missing.length > 0) throw invalidArgument(where, `a prompt for ${missing.join(', ')}`, prompts)
  }
}

function sourcesOf(where: string, options: NanoBEIREvaluatorOptions): Map<string, string | BeirDataset> {
  const { folder, datasets, datasetNames = Object.keys(NANO_BEIR_NAMES) } = options
  if ((folder === undefined) === (datasets === undefined)) {
    throw invalidArgument(where, 'either folder or datasets', options)
  }
  if (datasets !== undefined) {
    checkType(`${where} datasets`, datasets, 'object')
    if (options.datasetNames !== undefined)
      throw invalidArgument(`${where} datasetNames`, 'none beside datasets', datasetNames)
    if (Object.keys(datasets).length === 0) throw invalidArgument(`${where} datasets`, 'at least one set', datasets)
    return new Map(Object.entries(datasets))
  }
  checkType(`${where} folder`, folder, 'string')
  if (!Array.isArray(datasetNames) || datasetNames.length === 0) {
    throw invalidArgument(`${where} datasetNames`, 'an array of names', datasetNames)
  }
  return new Map(datasetNames.map((name: string) => [name, join(folder!, nanoName(name))]))
}

function nanoName(name: string): string {
  return `Nano${NANO_BEIR_NAMES[name.toLowerCase()] ?? name}`
}

function truncation({ truncateDim }: CommonOptions): string {
  return truncateDim === undefined ? '' : `_${truncateDim}`
}

function promptFor(prompts: Prompts | undefined, name: string): string | undefined {
  return typeof prompts === 'object' ? prompts[name] : prompts
}
