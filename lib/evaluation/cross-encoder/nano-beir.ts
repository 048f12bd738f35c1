import { join } from 'node:path'
import { Dataset } from '../../data/dataset.js'
import { invalidArgument } from '../../errors.js'
import { throwIfAborted } from '../../io/abort.js'
import { checkInteger, checkOptions, checkType, listOfNames } from '../../options.js'
import { loadBeir } from '../beir.js'
import { checkCommon, contextCells, invalidData, mean } from '../common.js'
import { appendCsv, pythonFloat } from '../csv.js'
import { evaluateAll, madeOnce } from '../evaluate-all.js'
import type { EvaluationContext, EvaluationResult } from '../evaluator.js'
import { NANO_BEIR_NAMES } from '../nano-beir-names.js'
import { SentenceEvaluator } from '../sentence-evaluator.js'
import type { EvaluatedCrossEncoder, PairOptions } from './common.js'
import { CrossEncoderRerankingEvaluator, type CrossEncoderRerankingSample } from './reranking.js'

/** `batchSize` is 32 unless given; the CSV file is `NanoBEIR_evaluation_{aggregateKey}_results.csv`. */
export interface CrossEncoderNanoBEIREvaluatorOptions extends Omit<PairOptions, 'name'> {
  /**
   * A folder with one folder for each of `datasetNames`: `NanoMSMARCO`, `NanoNQ`, …, in the BEIR layout with `bm25.jsonl`.
   */
  folder?: string
  /** Sets of `folder`. Default: the 13 of NanoBEIR without `arguana` and `touche2020`, which are not question answering. */
  datasetNames?: string | readonly string[]
  /** Instead of `folder`: the folder of each set, by name. Other names than NanoBEIR's are allowed. */
  datasets?: Readonly<Record<string, string>>
  /** File in every set's folder with BM25's results: `query-id` and `corpus-ids`, best first. Default `bm25.jsonl`. */
  candidates?: string
  /** Number of candidates to rerank. Default 100. */
  rerankK?: number
  /** MRR and NDCG count the first `atK` documents. Default 10. */
  atK?: number
  /** Also rerank relevant documents that are missing from the candidates. Default true. */
  alwaysRerankPositives?: boolean
  /** Combines the numbers of all sets into one. Default: their mean. */
  aggregateFn?: (values: readonly number[]) => number
  /** The name of `aggregateFn` in the metrics. Default `mean`. */
  aggregateKey?: string
}

const LEFT_OUT = ['arguana', 'touche2020']

/**
 * Reranking of BM25's candidates on several small sets, NanoBEIR's or others, from local folders in the BEIR layout (see
 * `loadBeir`), which are read at the first evaluation.
 *
 * Metrics: those of CrossEncoderRerankingEvaluator for every set, as `Nano{Set}_R{rerankK}_…`, then over all sets as
 * `NanoBEIR_R{rerankK}_{aggregateKey}_…`. Primary: `NanoBEIR_R{rerankK}_{aggregateKey}_ndcg@{k}`.
 * Source: sentence-transformers `CrossEncoderNanoBEIREvaluator`.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_NOT_IMPLEMENTED (`datasetId`: sets from the hub); during evaluation
 * ERR_NOT_FOUND, ERR_INVALID_DATA
 */
export class CrossEncoderNanoBEIREvaluator extends SentenceEvaluator<EvaluatedCrossEncoder> {
  override readonly name: string
  readonly #options: CrossEncoderNanoBEIREvaluatorOptions
  readonly #folders: ReadonlyMap<string, string>
  /** The evaluators of the sets, which are read at the first evaluation. */
  readonly #evaluators = madeOnce((signal) => this.#load(signal))

  constructor(options: CrossEncoderNanoBEIREvaluatorOptions) {
    super()
    const where = 'CrossEncoderNanoBEIREvaluator'
    const own = ['folder', 'datasetNames', 'datasets', 'candidates', 'rerankK', 'aggregateFn', 'aggregateKey']
    const passed = ['atK', 'alwaysRerankPositives', 'batchSize', 'showProgressBar', 'writeCsv', 'promptName']
    checkOptions(where, options, [...own, ...passed], {
      datasetId: { instead: 'download the sets and pass their folder' },
    })
    checkCommon(where, options)
    checkInteger(`${where} rerankK`, options.rerankK, 1)
    checkInteger(`${where} atK`, options.atK, 1)
    for (const name of ['aggregateKey', 'candidates'] as const) checkType(`${where} ${name}`, options[name], 'string')
    checkType(`${where} aggregateFn`, options.aggregateFn, 'function')
    this.#folders = foldersOf(where, options)
    this.#options = { batchSize: 32, ...options }
    this.name = `NanoBEIR_R${this.#rerankK}_${options.aggregateKey ?? 'mean'}`
  }

  get #rerankK(): number {
    return this.#options.rerankK ?? 100
  }

  async evaluate(model: EvaluatedCrossEncoder, context: EvaluationContext = {}): Promise<EvaluationResult> {
    const { aggregateFn = mean, aggregateKey = 'mean', atK = 10, writeCsv = true } = this.#options
    const { metrics, overall } = await evaluateAll(await this.#evaluators(context.signal), model, context, aggregateFn)
    if (context.outputPath !== undefined && writeCsv) {
      await appendCsv(
        context.outputPath,
        `NanoBEIR_evaluation_${aggregateKey}_results.csv`,
        ['epoch', 'steps', 'MAP', `MRR@${atK}`, `NDCG@${atK}`],
        [
          ...contextCells(context),
          ...['map', `mrr@${atK}`, `ndcg@${atK}`].map((metric) => pythonFloat(overall.get(metric)!)),
        ],
        '\n',
      )
    }
    for (const [metric, value] of overall) metrics[`${this.name}_${metric}`] = value
    return { metrics, primaryMetric: `${this.name}_ndcg@${atK}` }
  }

  async #load(signal: AbortSignal | undefined): Promise<CrossEncoderRerankingEvaluator[]> {
    const { atK, alwaysRerankPositives, batchSize, showProgressBar, writeCsv, promptName } = this.#options
    const given = { atK, alwaysRerankPositives, batchSize, showProgressBar, writeCsv, promptName }
    const shared = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
    const evaluators: CrossEncoderRerankingEvaluator[] = []
    for (const [name, folder] of this.#folders) {
      throwIfAborted(signal, 'The evaluation')
      const samples = await readSamples(folder, this.#options.candidates ?? 'bm25.jsonl', this.#rerankK)
      evaluators.push(
        new CrossEncoderRerankingEvaluator({ ...shared, samples, name: `${nanoName(name)}_R${this.#rerankK}` }),
      )
    }
    return evaluators
  }
}

/** The texts of the candidates and of the relevant documents, by id. */
async function readSamples(folder: string, file: string, rerankK: number): Promise<CrossEncoderRerankingSample[]> {
  const { queries, corpus, relevantDocs } = await loadBeir(folder)
  const path = join(folder, file)
  const lists = await Dataset.fromFile(path, { columns: ['query-id', 'corpus-ids'] })
  const candidates = lists.textLists('corpus-ids')
  const missing = (what: string, id: string) =>
    invalidData(`${path} names ${what} ${JSON.stringify(id)}, which is not there`)
  const documents = (ids: Iterable<string>) =>
    Array.from(ids, (id) => {
      const text = corpus.get(id)
      if (text === undefined) throw missing('the document', id)
      return text
    })
  return lists.texts('query-id').map((id, row) => {
    const query = queries.get(id)
    const relevant = relevantDocs.get(id)
    if (query === undefined) throw missing('the query', id)
    if (relevant === undefined) throw missing('a query without relevant documents:', id)
    return { query, positive: documents(relevant), documents: documents(candidates[row]!.slice(0, rerankK)) }
  })
}

function foldersOf(where: string, options: CrossEncoderNanoBEIREvaluatorOptions): Map<string, string> {
  const all = Object.keys(NANO_BEIR_NAMES).filter((name) => !LEFT_OUT.includes(name))
  const { folder, datasets, datasetNames = all } = options
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
  const chosen = listOfNames(`${where} datasetNames`, datasetNames)
  if (chosen.length === 0) throw invalidArgument(`${where} datasetNames`, 'at least one name', datasetNames)
  return new Map(chosen.map((name) => [name, join(folder!, nanoName(name))]))
}

function nanoName(name: string): string {
  return `Nano${NANO_BEIR_NAMES[name.toLowerCase()] ?? name}`
}
