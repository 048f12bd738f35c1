import { TimeSlice } from '../data/time-slice.js'
import { invalidArgument } from '../errors.js'
import { checkOptions, checkType, ownCopy } from '../options.js'
import { type GrowingHits, hitsOf } from '../search/hits.js'
import type { ScoreFunction } from '../search/score-function.js'
import type { HitLists } from '../search/top-hits.js'
import { COMMON_OPTIONS, checkCommon, denseKind, type EvaluatorKind, invalidData, named, suffix } from './common.js'
import { pythonFloat } from './csv.js'
import { appendRow } from './csv-row.js'
import { embedRows } from './embed.js'
import type { EvaluatedModel, EvaluatedRows, EvaluationContext, EvaluationResult, MetricItems } from './evaluator.js'
import { type Cutoffs, csvHeader, csvMetrics, irMetrics, type RankedQuery } from './ir-metrics.js'
import {
  checkRetrieval,
  comparePython,
  cutoffsOf,
  measuredScores,
  PrimaryScore,
  RETRIEVAL_OPTIONS,
  type RelevantDocs,
  type RetrievalOptions,
  relevantSets,
  type TextsById,
  textEntries,
} from './ir-options.js'
import { orderOf } from './order.js'
import { SentenceEvaluator } from './sentence-evaluator.js'

/** `batchSize` is 32 unless given; the CSV file is `Information-Retrieval_evaluation_{name}_results.csv`. */
export interface InformationRetrievalEvaluatorOptions extends RetrievalOptions {
  /** Queries by id. Queries without a relevant document are left out. */
  queries: TextsById
  /** Documents by id. */
  corpus: TextsById
  /** Ids of the relevant documents by query id. */
  relevantDocs: RelevantDocs
  /** Prefix of every query, instead of the model's query prompt. */
  queryPrompt?: string
  /** Name of the model's prompt for queries. Default `query` if the model has it. */
  queryPromptName?: string
  /** Prefix of every document, instead of the model's document prompt. */
  corpusPrompt?: string
  /** Name of the model's prompt for documents. Default the first of `document`, `passage`, `corpus` that the model has. */
  corpusPromptName?: string
}

/**
 * How often the nearest documents of a query are the relevant ones, by exact search over the whole corpus. Documents are
 * embedded and searched in chunks, so that a chunk bounds the memory. Documents of equal score rank by ascending id.
 *
 * Metrics per score: `{fn}_accuracy@{1,3,5,10}`, `{fn}_precision@…`, `{fn}_recall@…`, `{fn}_ndcg@10`, `{fn}_mrr@10`,
 * `{fn}_map@100`. Primary: `{fn}_ndcg@{largest k}` of the main score, else of the one of `scoreFunctions` that was best at the
 * first evaluation. Without `scoreFunctions` every call measures the similarity of its own model.
 * Source: sentence-transformers `InformationRetrievalEvaluator`.
 *
 * @throws ERR_INVALID_ARGUMENT (during evaluation: the main score is not among the measured ones), ERR_UNKNOWN_OPTION,
 * ERR_INVALID_DATA (texts, ids, no query with a relevant document)
 */
export class InformationRetrievalEvaluator extends SentenceEvaluator {
  override readonly name: string
  readonly #options: Omit<InformationRetrievalEvaluatorOptions, 'queries' | 'corpus' | 'relevantDocs'>
  readonly #kind: EvaluatorKind
  readonly #cutoffs: Cutoffs
  readonly #queries: { id: string; text: string; relevant: ReadonlySet<string> }[]
  #corpus: readonly (readonly [id: string, text: string])[]
  #sorted: Promise<void> | undefined
  readonly #primary: PrimaryScore

  constructor(
    options: InformationRetrievalEvaluatorOptions,
    kind: EvaluatorKind = denseKind('InformationRetrievalEvaluator'),
  ) {
    super()
    const { where } = kind
    const prompts = ['queryPrompt', 'queryPromptName', 'corpusPrompt', 'corpusPromptName'] as const
    checkOptions(where, options, [
      ...['queries', 'corpus', 'relevantDocs'],
      ...[...prompts, ...RETRIEVAL_OPTIONS, ...COMMON_OPTIONS],
    ])
    checkCommon(where, options)
    checkRetrieval(kind, options)
    for (const name of prompts) checkType(`${where} ${name}`, options[name], 'string')
    for (const [prompt, name] of [prompts.slice(0, 2), prompts.slice(2)] as const) {
      if (options[prompt!] !== undefined && options[name!] !== undefined) {
        throw invalidArgument(where, `${prompt} or ${name}, not both`, options[name!])
      }
    }
    const queries = textEntries(`${where} queries`, options.queries)
    const relevant = relevantSets(`${where} relevantDocs`, options.relevantDocs)
    this.#corpus = textEntries(`${where} corpus`, options.corpus)
    if (this.#corpus.length === 0) throw invalidData(`${where}: the corpus is empty`)
    this.#queries = queries.flatMap(([id, text]) => {
      const documents = relevant.get(id)
      return documents?.size ? [{ id, text, relevant: documents }] : []
    })
    if (this.#queries.length === 0) throw invalidData(`${where}: no query has a relevant document`)
    this.name = options.name ?? ''
    const { queries: _, corpus: __, relevantDocs: ___, ...rest } = options
    this.#kind = kind
    this.#options = { batchSize: 32, ...ownCopy(rest) }
    this.#cutoffs = cutoffsOf(this.#options)
    this.#primary = new PrimaryScore(this.#options)
  }

  /** Number of evaluated queries, and of searched documents. */
  get size(): { queries: number; corpus: number } {
    return { queries: this.#queries.length, corpus: this.#corpus.length }
  }

  /** Embeds, searches and measures; see the class for the metrics. */
  async evaluate(model: EvaluatedModel, context: EvaluationContext = {}): Promise<EvaluationResult> {
    const { writeCsv = true } = this.#options
    const functions = measuredScores(this.#options, model)
    this.#sorted ??= this.#sort()
    await this.#sorted
    const hits = await this.#search(model, functions, context)
    const results = new Map<string, Record<string, number>>()
    const items: Record<string, MetricItems> = {}
    for (const [name, found] of hits) {
      if (context.outputPath !== undefined && this.#options.writePredictions) {
        const file = `Information-Retrieval_evaluation${suffix(this.name)}_predictions_${name}.jsonl`
        const { writePredictions } = await import('./predictions.js')
        await writePredictions(context.outputPath, file, this.#queries, this.#corpus, found)
      }
      const { means, values } = await irMetrics(this.#ranked(found), this.#cutoffs)
      results.set(name, means)
      if (!context.items) continue
      for (const [key, scores] of Object.entries(values)) items[`${name}_${key}`] = { scores }
    }
    const sorted = [...results.keys()].sort(comparePython)
    if (context.outputPath !== undefined && writeCsv) await this.#write(context, sorted, results)
    const top = `ndcg@${Math.max(...this.#cutoffs.ndcgAtK)}`
    const primary = this.#primary.of(sorted, (name) => results.get(name)![top]!)
    const metrics = [...results].flatMap(([name, values]) =>
      Object.entries(values).map(([key, value]) => [`${name}_${key}`, value] as const),
    )
    const name = `${primary}_${top}`
    if (!context.items) return named(this.name, Object.fromEntries(metrics), name)
    return named(
      this.name,
      Object.fromEntries(metrics),
      name,
      items,
      this.#rows(hits.get(primary)!, items[name]!.scores),
    )
  }

  /** Each query with the best relevant document that was found, else any, and the best one that is not relevant. */
  #rows({ documents, k, count }: HitLists, scores: ArrayLike<number>): EvaluatedRows {
    const first = (q: number, fits: (id: string) => boolean): string => {
      for (let i = 0; i < count; i++) {
        const [id, text] = this.#corpus[documents[q * k + i]!]!
        if (fits(id)) return text
      }
      return ''
    }
    const queries = this.#queries.map(({ text }) => text)
    const relevant = this.#queries.map(({ relevant: ids }, q) => first(q, (id) => ids.has(id)))
    const wrong = this.#queries.map(({ relevant: ids }, q) => first(q, (id) => !ids.has(id)))
    return { kind: 'queries', queries, relevant, wrong, scores }
  }

  /** Sorts the corpus by ascending ids, so that the search's order is the order of ties. */
  async #sort(): Promise<void> {
    const corpus = this.#corpus
    const order = await orderOf(corpus.length, (a, b) => comparePython(corpus[a]![0], corpus[b]![0]))
    const sorted: (readonly [string, string])[] = []
    const slice = new TimeSlice()
    for (const i of order) {
      sorted.push(corpus[i]!)
      if (sorted.length % 1024 === 0) await slice.yield()
    }
    this.#corpus = sorted
  }

  async #search(
    model: EvaluatedModel,
    functions: readonly [string, ScoreFunction][],
    context: EvaluationContext,
  ): Promise<Map<string, GrowingHits>> {
    const { queryPrompt, queryPromptName, corpusPrompt, corpusPromptName, corpusChunkSize = 50_000 } = this.#options
    const k = Math.min(this.#corpus.length, Math.max(...Object.values(this.#cutoffs).flat()))
    const forQueries = { ...this.#options, prompt: queryPrompt, promptName: queryPromptName }
    const texts = this.#queries.map(({ text }) => text)
    const queries = await embedRows(model, 'encodeQuery', texts, forQueries, context)
    const hits = new Map(functions.map(([name, fn]) => [name, hitsOf(queries, this.#kind.metricOf(fn), k)]))
    const forCorpus = { ...this.#options, prompt: corpusPrompt, promptName: corpusPromptName }
    for (let start = 0; start < this.#corpus.length; start += corpusChunkSize) {
      const chunk = this.#corpus.slice(start, start + corpusChunkSize).map(([, text]) => text)
      const documents = await embedRows(model, 'encodeDocument', chunk, forCorpus, context)
      for (const found of hits.values()) await found.add(documents, start, context.signal)
    }
    return hits
  }

  *#ranked({ documents, k, count }: HitLists): Generator<RankedQuery> {
    for (const [q, { relevant }] of this.#queries.entries()) {
      const found = new Uint8Array(count)
      for (let i = 0; i < count; i++) found[i] = relevant.has(this.#corpus[documents[q * k + i]!]![0]) ? 1 : 0
      yield { relevant: found, total: relevant.size }
    }
  }

  async #write(
    context: EvaluationContext,
    names: readonly string[],
    results: ReadonlyMap<string, Record<string, number>>,
  ): Promise<void> {
    const columns = names.flatMap((name) => csvMetrics(this.#cutoffs).map((metric) => [name, metric] as const))
    await appendRow(
      context,
      `Information-Retrieval_evaluation${suffix(this.name)}_results.csv`,
      columns.map(([name, metric]) => csvHeader(name, metric)),
      columns.map(([name, metric]) => pythonFloat(results.get(name)![metric]!)),
      '\n',
    )
  }
}
