import { TimeSlice } from '../data/time-slice.js'
import { describe, invalidArgument } from '../errors.js'
import { asEmbeddings, type Embeddings } from '../models/embeddings.js'
import { checkInteger, checkOneOf, checkOptions, checkType, ownCopy } from '../options.js'
import { averagePrecision } from './binary-scores.js'
import {
  COMMON_OPTIONS,
  type CommonOptions,
  checkCommon,
  checkTexts,
  denseKind,
  type EvaluatorKind,
  invalidData,
  mean,
  named,
  type SimilarityName,
  suffix,
} from './common.js'
import { pythonFloat } from './csv.js'
import { appendRow } from './csv-row.js'
import { embedRows } from './embed.js'
import type { EvaluatedModel, EvaluationContext, EvaluationResult } from './evaluator.js'
import { descendingOrder } from './order.js'
import { countRows, type Rows, similaritiesOfQuery, sliceRows } from './pair-similarities.js'
import { ndcgWithTies, reciprocalRank } from './ranking.js'
import { SentenceEvaluator } from './sentence-evaluator.js'

export interface RerankingSample {
  query: string
  /** Relevant documents. A single one may be a string. */
  positive: string | readonly string[]
  /** Irrelevant documents. A single one may be a string. */
  negative: string | readonly string[]
}

/** `batchSize` is 64 unless given; the CSV file is `RerankingEvaluator_{name}_results_@{k}.csv`. */
export interface RerankingEvaluatorOptions extends CommonOptions {
  /** Samples without a positive or without a negative are left out. */
  samples: readonly RerankingSample[]
  /** MRR and NDCG count the first `atK` documents. Default 10. */
  atK?: number
  /** The score that ranks documents: a similarity, or a function that returns [1, documents]. Default `cosine`. */
  similarityFct?: SimilarityName | ((query: Embeddings, documents: Embeddings) => Pick<Embeddings, 'data'>)
  /** Embed all texts together (default) or sample by sample, which needs less memory. */
  useBatchedEncoding?: boolean
}

/**
 * How well the similarity to a query ranks relevant documents before others, in each sample by itself. Queries are embedded
 * as queries, documents as documents.
 *
 * Metrics: `map` (mean average precision over all documents), `mrr@{k}`, `ndcg@{k}`. Primary: `ndcg@{k}`. For documents of
 * equal score, NDCG and MAP do not depend on the order. MRR does, and Python leaves the order open; here it is the given
 * one, positives first.
 * Source: sentence-transformers `RerankingEvaluator`.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_INVALID_DATA (samples)
 */
export class RerankingEvaluator extends SentenceEvaluator {
  override readonly name: string
  readonly #options: RerankingEvaluatorOptions
  readonly #samples: readonly Checked[]

  constructor(options: RerankingEvaluatorOptions, kind: EvaluatorKind = denseKind('RerankingEvaluator')) {
    super()
    const { where } = kind
    const names = ['samples', 'atK', 'similarityFct', 'useBatchedEncoding']
    checkOptions(where, options, [...names, ...COMMON_OPTIONS], { mrrAtK: { instead: 'use atK' } })
    checkCommon(where, options)
    checkInteger(`${where} atK`, options.atK, 1)
    checkType(`${where} useBatchedEncoding`, options.useBatchedEncoding, 'boolean')
    if (typeof options.similarityFct !== 'function') {
      checkOneOf(`${where} similarityFct`, options.similarityFct, kind.similarities)
    }
    this.name = options.name ?? ''
    const own = ownCopy(options)
    this.#options = { batchSize: 64, ...own }
    this.#samples = usable(where, own.samples)
  }

  async evaluate(model: EvaluatedModel, context: EvaluationContext = {}): Promise<EvaluationResult> {
    const { atK = 10, writeCsv = true } = this.#options
    const [precisions, ranks, gains]: [number[], number[], number[]] = [[], [], []]
    const slice = new TimeSlice()
    for await (const [query, documents, positives] of this.#embedded(model, context)) {
      const scores = await this.#scores(query, documents)
      const relevant = scores.map((_, i) => (i < positives ? 1 : 0))
      const order = await descendingOrder(scores)
      precisions.push(averagePrecision(scores, relevant, order))
      ranks.push(
        reciprocalRank(
          order.map((document) => relevant[document]!),
          atK,
        ),
      )
      gains.push(ndcgWithTies(relevant, scores, order, atK))
      await slice.yield()
    }
    const scores = Object.entries({ map: precisions, [`mrr@${atK}`]: ranks, [`ndcg@${atK}`]: gains })
    const metrics = Object.fromEntries(scores.map(([key, values]) => [key, mean(values)]))
    if (context.outputPath !== undefined && writeCsv) {
      await appendRow(
        context,
        `RerankingEvaluator${suffix(this.name)}_results_@${atK}.csv`,
        ['MAP', `MRR@${atK}`, `NDCG@${atK}`],
        Object.values(metrics).map(pythonFloat),
      )
    }
    const items = Object.fromEntries(scores.map(([key, values]) => [key, { scores: values }]))
    return named(this.name, metrics, `ndcg@${atK}`, context.items ? items : undefined)
  }

  /** Each sample's query [1, dim], documents [n, dim] and number of positives, which come first. */
  async *#embedded(model: EvaluatedModel, context: EvaluationContext): AsyncGenerator<[Rows, Rows, number]> {
    const documentsOf = ({ positive, negative }: Checked) => [...positive, ...negative]
    if (!(this.#options.useBatchedEncoding ?? true)) {
      const options = { ...this.#options, showProgressBar: false }
      for (const sample of this.#samples) {
        const query = await embedRows(model, 'encodeQuery', [sample.query], options, context)
        const documents = await embedRows(model, 'encodeDocument', documentsOf(sample), options, context)
        yield [query, documents, sample.positive.length]
      }
      return
    }
    const texts = this.#samples.map(({ query }) => query)
    const queries = await embedRows(model, 'encodeQuery', texts, this.#options, context)
    const all = await embedRows(model, 'encodeDocument', this.#samples.flatMap(documentsOf), this.#options, context)
    let start = 0
    for (const [i, { positive, negative }] of this.#samples.entries()) {
      const size = positive.length + negative.length
      yield [sliceRows(queries, i, 1), sliceRows(all, start, size), positive.length]
      start += size
    }
  }

  async #scores(query: Rows, documents: Rows): Promise<Float32Array> {
    const { similarityFct = 'cosine' } = this.#options
    const count = countRows(documents)
    if (typeof similarityFct === 'string') return similaritiesOfQuery(similarityFct, query, documents)
    const whole = (rows: Rows) => ('shape' in rows ? asEmbeddings(rows, 'rows') : rows) as Embeddings
    const { data } = await similarityFct(whole(query), whole(documents))
    if (!(data instanceof Float32Array) || data.length !== count) {
      throw invalidArgument('the result of similarityFct', `${count} similarities`, data)
    }
    const wrong = data.findIndex(Number.isNaN)
    if (wrong !== -1) throw invalidArgument('the result of similarityFct', 'numbers', data[wrong])
    return data
  }
}

interface Checked extends RerankingSample {
  positive: readonly string[]
  negative: readonly string[]
}

function usable(where: string, samples: unknown): Checked[] {
  if (!Array.isArray(samples)) throw invalidArgument(`${where} samples`, 'an array', samples)
  const documents = (sample: Partial<RerankingSample>, i: number, side: 'positive' | 'negative') => {
    const given = sample[side]
    if (given === undefined) throw invalidData(`${where}: samples[${i}] has no ${side}`)
    const list = typeof given === 'string' ? [given] : given
    checkTexts(`${where} samples[${i}].${side}`, list)
    return list
  }
  const checked = samples.map((sample: Partial<RerankingSample> | null, i): Checked => {
    const query = sample?.query
    if (typeof query !== 'string') {
      throw invalidData(
        `${where}: expected { query, positive, negative } for samples[${i}] but found ${describe(sample)}`,
      )
    }
    return { query, positive: documents(sample!, i, 'positive'), negative: documents(sample!, i, 'negative') }
  })
  const kept = checked.filter(({ positive, negative }) => positive.length && negative.length)
  if (kept.length === 0) throw invalidData(`${where}: no sample has both a positive and a negative`)
  return kept
}
