import { join } from 'node:path'
import { invalidArgument } from '../errors.js'
import { throwIfAborted } from '../io/abort.js'
import { checkNames, checkOneOf, checkOptions, checkType, listOfNames, ownCopy } from '../options.js'
import { type BeirDataset, loadBeir } from './beir.js'
import { loadBeirFromHub } from './beir-hub.js'
import { type CommonOptions, checkCommon, denseKind, type EvaluatorKind, mean } from './common.js'
import { pythonFloat } from './csv.js'
import { appendRow } from './csv-row.js'
import { evaluateAll, madeOnce } from './evaluate-all.js'
import type { EvaluatedModel, EvaluationContext, EvaluationResult } from './evaluator.js'
import { InformationRetrievalEvaluator, type InformationRetrievalEvaluatorOptions } from './information-retrieval.js'
import { csvHeader, csvMetrics } from './ir-metrics.js'
import {
  checkRetrieval,
  comparePython,
  cutoffsOf,
  measuredScores,
  PrimaryScore,
  RETRIEVAL_OPTIONS,
  type RetrievalOptions,
} from './ir-options.js'
import { NANO_BEIR_NAMES } from './nano-beir-names.js'
import { SentenceEvaluator } from './sentence-evaluator.js'

/** What measures one set. */
interface RetrievalEvaluator {
  readonly name: string
  evaluate(model: EvaluatedModel, context?: EvaluationContext): Promise<EvaluationResult>
}

/** @internal What NanoBEIR with another kind of rows changes. */
export interface NanoKind extends EvaluatorKind {
  /** At the end of all names. */
  suffix: string
  retrieval(options: InformationRetrievalEvaluatorOptions): RetrievalEvaluator
}

const DENSE: NanoKind = {
  ...denseKind('NanoBEIREvaluator'),
  suffix: '',
  retrieval: (options) => new InformationRetrievalEvaluator(options),
}

/** Options that are not passed on to the evaluators of the sets. */
const OWN: readonly string[] = ['datasetNames', 'datasetId', 'folder', 'datasets', 'aggregateFn', 'aggregateKey']

/** A folder, a set, or a split of a data set on the hub. */
type Source = string | BeirDataset | { hub: string; split: string }

type Prompts = string | Readonly<Record<string, string>>

/** `batchSize` is 32 unless given; the CSV file is `NanoBEIR_evaluation_{aggregateKey}_results.csv`. */
export interface NanoBEIREvaluatorOptions extends Omit<RetrievalOptions, keyof Pick<CommonOptions, 'name'>> {
  /** Sets of `datasetId` or `folder`. Default: all 13 of NanoBEIR (`msmarco`, `nq`, …). */
  datasetNames?: string | readonly string[]
  /** The data set on the Hugging Face hub. Default `sentence-transformers/NanoBEIR-en`. */
  datasetId?: string
  /** Instead of `datasetId`: a folder with one folder in the BEIR layout for each set: `NanoMSMARCO`, `NanoNQ`, … */
  folder?: string
  /** Instead of `datasetId`: the place of each set, or the set itself, by name. Other names than NanoBEIR's are allowed. */
  datasets?: Readonly<Record<string, string | BeirDataset>>
  /** Combines the numbers of all sets into one. Default: their mean. */
  aggregateFn?: (values: readonly number[]) => number
  /** The name of `aggregateFn` in the metrics. Default `mean`. */
  aggregateKey?: string
  /** Prefix of every query, for all sets or by the set's name. */
  queryPrompts?: Prompts
  /** Prefix of every document, for all sets or by the set's name. */
  corpusPrompts?: Prompts
}

/**
 * Retrieval on several small sets, NanoBEIR's or others, from the Hugging Face hub or from local folders in the BEIR layout
 * (see `loadBeir`). They are read at the first evaluation.
 *
 * Metrics: those of InformationRetrievalEvaluator for every set, as `Nano{Set}_{fn}_…`, then over all sets as
 * `NanoBEIR_{aggregateKey}_{fn}_…`. With `truncateDim`, its number follows both names.
 * Primary: `NanoBEIR_{aggregateKey}_{fn}_ndcg@{largest k}`. Source: sentence-transformers `NanoBEIREvaluator`.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION; during evaluation ERR_NOT_FOUND, ERR_NETWORK, ERR_INVALID_DATA,
 * ERR_INVALID_ARGUMENT (the main score is not among the measured ones)
 */
export class NanoBEIREvaluator extends SentenceEvaluator {
  override readonly name: string
  readonly #options: NanoBEIREvaluatorOptions
  readonly #kind: NanoKind
  readonly #sources: ReadonlyMap<string, Source>
  /** The evaluators of the sets, which are read at the first evaluation. */
  readonly #evaluators = madeOnce((signal) => this.#load(signal))
  readonly #primary: PrimaryScore

  constructor(options: NanoBEIREvaluatorOptions = {}, kind: NanoKind = DENSE) {
    super()
    const { where } = kind
    const common = ['batchSize', 'showProgressBar', 'writeCsv', 'truncateDim']
    checkOptions(where, options, [...OWN, 'queryPrompts', 'corpusPrompts', ...common, ...RETRIEVAL_OPTIONS])
    checkCommon(where, options)
    checkRetrieval(kind, options)
    checkType(`${where} aggregateFn`, options.aggregateFn, 'function')
    checkType(`${where} aggregateKey`, options.aggregateKey, 'string')
    this.#kind = kind
    this.#options = ownCopy(options)
    this.#sources = sourcesOf(where, this.#options)
    for (const name of ['queryPrompts', 'corpusPrompts'] as const) this.#checkPrompts(`${where} ${name}`, options[name])
    this.#primary = new PrimaryScore(this.#options)
    this.name = `NanoBEIR_${options.aggregateKey ?? 'mean'}${truncation(options)}${kind.suffix}`
  }

  async evaluate(model: EvaluatedModel, context: EvaluationContext = {}): Promise<EvaluationResult> {
    const { aggregateFn = mean, writeCsv = true } = this.#options
    const scores = measuredScores(this.#options, model)
    const names = scores.map(([name]) => name).sort(comparePython)
    const { metrics, overall } = await evaluateAll(await this.#evaluators(context.signal), model, context, aggregateFn)
    if (context.outputPath !== undefined && writeCsv) await this.#write(context, names, overall)
    for (const [metric, value] of overall) metrics[`${this.name}_${metric}`] = value
    const top = `ndcg@${Math.max(...cutoffsOf(this.#options).ndcgAtK)}`
    const primary = this.#primary.of(names, (name) => overall.get(`${name}_${top}`)!)
    return { metrics, primaryMetric: `${this.name}_${primary}_${top}` }
  }

  async #load(signal: AbortSignal | undefined): Promise<RetrievalEvaluator[]> {
    const { queryPrompts, corpusPrompts, ...rest } = this.#options
    const shared = Object.fromEntries(Object.entries(rest).filter(([name]) => !OWN.includes(name))) as RetrievalOptions
    const evaluators: RetrievalEvaluator[] = []
    for (const [name, source] of this.#sources) {
      throwIfAborted(signal, 'The evaluation')
      const set = await load(source, signal)
      const [queryPrompt, corpusPrompt] = [promptFor(queryPrompts, name), promptFor(corpusPrompts, name)]
      evaluators.push(
        this.#kind.retrieval({
          ...shared,
          ...set,
          name: nanoName(name) + truncation(this.#options) + this.#kind.suffix,
          ...(queryPrompt !== undefined && { queryPrompt }),
          ...(corpusPrompt !== undefined && { corpusPrompt }),
        }),
      )
    }
    return evaluators
  }

  async #write(
    context: EvaluationContext,
    names: readonly string[],
    values: ReadonlyMap<string, number>,
  ): Promise<void> {
    const metrics = csvMetrics(cutoffsOf(this.#options))
    const columns = names.flatMap((name) => metrics.map((metric) => [name, metric] as const))
    await appendRow(
      context,
      `NanoBEIR_evaluation_${this.#options.aggregateKey ?? 'mean'}_results.csv`,
      columns.map(([name, metric]) => csvHeader(name, metric)),
      columns.map(([name, metric]) => pythonFloat(values.get(`${name}_${metric}`)!)),
      '\n',
    )
  }

  #checkPrompts(where: string, prompts: Prompts | undefined): void {
    if (prompts === undefined || typeof prompts === 'string') return
    checkType(where, prompts, 'object')
    const names = [...this.#sources.keys()]
    checkNames(where, Object.keys(prompts), 'set', names)
    const missing = names.filter((name) => typeof prompts[name] !== 'string')
    if (missing.length > 0) throw invalidArgument(where, `a prompt for ${missing.join(', ')}`, prompts)
  }
}

function sourcesOf(where: string, options: NanoBEIREvaluatorOptions): Map<string, Source> {
  const { folder, datasets, datasetId, datasetNames = Object.keys(NANO_BEIR_NAMES) } = options
  if ([folder, datasets, datasetId].filter((source) => source !== undefined).length > 1) {
    throw invalidArgument(where, 'one of datasetId, folder and datasets', options)
  }
  if (datasets !== undefined) {
    checkType(`${where} datasets`, datasets, 'object')
    if (options.datasetNames !== undefined) {
      throw invalidArgument(`${where} datasetNames`, 'none beside datasets', datasetNames)
    }
    if (Object.keys(datasets).length === 0) throw invalidArgument(`${where} datasets`, 'at least one set', datasets)
    return new Map(Object.entries(datasets))
  }
  checkType(`${where} folder`, folder, 'string')
  checkType(`${where} datasetId`, datasetId, 'string')
  const chosen = listOfNames(`${where} datasetNames`, datasetNames)
  if (chosen.length === 0) throw invalidArgument(`${where} datasetNames`, 'at least one name', datasetNames)
  const hub = datasetId ?? 'sentence-transformers/NanoBEIR-en'
  if (folder === undefined) {
    for (const name of chosen) checkOneOf(`${where} datasetNames`, name, Object.keys(NANO_BEIR_NAMES))
  }
  const source = (name: string): Source =>
    folder === undefined ? { hub, split: nanoName(name) } : join(folder, nanoName(name))
  return new Map(chosen.map((name) => [name, source(name)]))
}

function load(source: Source, signal: AbortSignal | undefined): Promise<BeirDataset> | BeirDataset {
  if (typeof source === 'string') return loadBeir(source)
  return 'hub' in source ? loadBeirFromHub(source.hub, source.split, signal) : source
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
