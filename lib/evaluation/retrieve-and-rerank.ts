import { checkInteger, checkOptions, checkSignal, checkType } from '../options.js'
import { semanticSearch } from '../search/semantic-search.js'
import { invalidData } from './common.js'
import type { EvaluatedCrossEncoder } from './cross-encoder/common.js'
import { embed } from './embed.js'
import type { EvaluatedModel } from './evaluator.js'
import { irMetrics } from './ir-metrics.js'
import { comparePython, type RelevantDocs, relevantSets, type TextsById, textEntries } from './ir-options.js'

export interface RetrieveAndRerankOptions {
  /** Finds documents by their embeddings. */
  biEncoder: EvaluatedModel
  /** Scores pairs of a query and a document; a model with one label. */
  crossEncoder: EvaluatedCrossEncoder
  /** Queries by id. Queries without a relevant document are left out. */
  queries: TextsById
  /** Documents by id. */
  corpus: TextsById
  /** Ids of the relevant documents by query id. */
  relevantDocs: RelevantDocs
  /** Documents that the bi-encoder finds and the cross-encoder ranks again. Default 100. */
  topK?: number
  /** Also rank all documents with the cross-encoder alone: queries × documents pairs. Default false. */
  allPairs?: boolean
  /** Texts and pairs that are computed together. Default 32. */
  batchSize?: number
  signal?: AbortSignal
}

export type RankingMethod = 'bi-encoder' | 'cross-encoder' | 'both'

/** A document of a ranking. */
export interface RankedEntry {
  id: string
  score: number
}

export interface MethodResult {
  method: RankingMethod
  /** `ndcg@10`, `mrr@10`, `recall@1`, `recall@10`, `recall@{topK}`, as InformationRetrievalEvaluator computes them. */
  metrics: Readonly<Record<string, number>>
  /** The time of all queries divided by their number. The corpus was embedded before. */
  millisecondsPerQuery: number
  /** Pairs that the cross-encoder scored. */
  pairs: number
  /** The first `topK` documents by query id, best first. */
  rankings: ReadonlyMap<string, readonly RankedEntry[]>
}

export interface RetrieveAndRerankResult {
  /** The bi-encoder, the cross-encoder (with `allPairs`), and both. */
  methods: readonly MethodResult[]
  queries: number
  documents: number
  /** Seconds in which the corpus was embedded. */
  corpusSeconds: number
}

/** Pairs that are scored between two looks at the signal. */
const GROUP = 4096

/**
 * Measures a bi-encoder, a cross-encoder, and both together: the bi-encoder finds `topK` documents for each query, and the
 * cross-encoder ranks these again. Documents of equal score keep the order of the bi-encoder, else that of their ids.
 *
 * ```ts
 * const { methods } = await evaluation.retrieveAndRerank({ biEncoder, crossEncoder, ...(await evaluation.loadBeir('cranfield')) })
 * console.table(methods.map(({ method, metrics, millisecondsPerQuery, pairs }) => ({ method, ...metrics, millisecondsPerQuery, pairs })))
 * ```
 * Source: sentence-transformers, "Retrieve & Re-Rank" (https://sbert.net/examples/sentence_transformer/applications/retrieve_rerank).
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION; ERR_INVALID_DATA (texts, ids, no query with a relevant document); ERR_ABORTED
 */
export async function retrieveAndRerank(options: RetrieveAndRerankOptions): Promise<RetrieveAndRerankResult> {
  const data = checked(options)
  const { biEncoder, crossEncoder, allPairs = false, batchSize = 32, signal } = options
  const topK = Math.min(options.topK ?? 100, data.corpus.length)
  const context = signal ? { signal } : {}
  const texts = data.queries.map(({ text }) => text)

  let start = performance.now()
  const documents = await embed(
    biEncoder,
    'encodeDocument',
    data.corpus.map(([, text]) => text),
    { batchSize },
    context,
  )
  const corpusSeconds = (performance.now() - start) / 1000

  start = performance.now()
  const embedded = await embed(biEncoder, 'encodeQuery', texts, { batchSize }, context)
  const search = { topK, scoreFunction: biEncoder.similarityFnName, ...context }
  const hits = await semanticSearch(embedded, documents, search)
  const found = hits.map((list) => list.map(({ corpusId, score }) => ({ document: corpusId, score })))
  const searchMilliseconds = performance.now() - start

  const scored = async (candidates: readonly (readonly number[])[]): Promise<Hit[][]> => {
    const pairs = candidates.flatMap((list, q) =>
      list.map((document) => [texts[q]!, data.corpus[document]![1]] as [string, string]),
    )
    const scores = new Float32Array(pairs.length)
    for (let at = 0; at < pairs.length; at += GROUP) {
      const some = await crossEncoder.predict(pairs.slice(at, at + GROUP), { batchSize, ...context })
      scores.set(some.data, at)
    }
    const wrong = scores.findIndex(Number.isNaN)
    if (wrong !== -1) throw invalidData(`Expected a number as score of pair ${wrong}, the cross-encoder gave NaN`)
    let at = 0
    return candidates.map((list) => {
      const own = list.map((document) => ({ document, score: scores[at++]! }))
      return own.sort((a, b) => b.score - a.score).slice(0, topK)
    })
  }
  const result = async (method: RankingMethod, ranked: readonly Hit[][], milliseconds: number, pairs: number) =>
    methodResult(method, ranked, data, topK, milliseconds, pairs)

  const methods = [await result('bi-encoder', found, searchMilliseconds, 0)]
  if (allPairs) {
    const all = data.corpus.map((_, i) => i)
    start = performance.now()
    const ranked = await scored(texts.map(() => all))
    methods.push(await result('cross-encoder', ranked, performance.now() - start, texts.length * all.length))
  }
  start = performance.now()
  const ranked = await scored(found.map((list) => list.map(({ document }) => document)))
  const both = searchMilliseconds + performance.now() - start
  methods.push(await result('both', ranked, both, texts.length * topK))
  return { methods, queries: texts.length, documents: data.corpus.length, corpusSeconds }
}

interface Hit {
  document: number
  score: number
}

interface Data {
  queries: readonly { id: string; text: string; relevant: ReadonlySet<string> }[]
  corpus: readonly (readonly [id: string, text: string])[]
}

async function methodResult(
  method: RankingMethod,
  ranked: readonly Hit[][],
  { queries, corpus }: Data,
  topK: number,
  milliseconds: number,
  pairs: number,
): Promise<MethodResult> {
  const cutoffs = {
    ...{ accuracyAtK: [], mapAtK: [], ndcgAtK: [10], mrrAtK: [10] },
    precisionRecallAtK: [...new Set([1, 10, topK])],
  }
  const lists = ranked.map((hits, q) => {
    const { relevant } = queries[q]!
    return {
      relevant: Uint8Array.from(hits, ({ document }) => Number(relevant.has(corpus[document]![0]))),
      total: relevant.size,
    }
  })
  const { means } = await irMetrics(lists, cutoffs)
  const metrics = Object.fromEntries(Object.entries(means).filter(([name]) => !name.startsWith('precision')))
  const rankings = ranked.map((hits, q) => {
    const entries = hits.map(({ document, score }) => ({ id: corpus[document]![0], score }))
    return [queries[q]!.id, entries] as const
  })
  return { method, metrics, millisecondsPerQuery: milliseconds / queries.length, pairs, rankings: new Map(rankings) }
}

function checked(options: RetrieveAndRerankOptions): Data {
  const where = 'retrieveAndRerank'
  checkOptions(where, options, [
    ...['biEncoder', 'crossEncoder', 'queries', 'corpus', 'relevantDocs', 'topK', 'allPairs', 'batchSize', 'signal'],
  ])
  checkInteger(`${where} topK`, options.topK, 1)
  checkInteger(`${where} batchSize`, options.batchSize, 1)
  checkType(`${where} allPairs`, options.allPairs, 'boolean')
  checkSignal(options.signal)
  const { crossEncoder } = options
  if (typeof crossEncoder?.predict !== 'function' || crossEncoder.numLabels !== 1)
    throw invalidData(`${where} needs a cross-encoder with one label, this one has ${crossEncoder?.numLabels}`)
  const relevant = relevantSets(`${where} relevantDocs`, options.relevantDocs)
  const corpus = textEntries(`${where} corpus`, options.corpus)
  if (corpus.length === 0) throw invalidData(`${where}: the corpus is empty`)
  // Equal scores rank by ascending ids, as in InformationRetrievalEvaluator.
  corpus.sort((a, b) => comparePython(a[0], b[0]))
  const queries = textEntries(`${where} queries`, options.queries).flatMap(([id, text]) => {
    const documents = relevant.get(id)
    return documents?.size ? [{ id, text, relevant: documents }] : []
  })
  if (queries.length === 0) throw invalidData(`${where}: no query has a relevant document`)
  return { queries, corpus }
}
