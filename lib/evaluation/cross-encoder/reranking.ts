import { TimeSlice } from '../../data/time-slice.js'
import { describe, invalidArgument } from '../../errors.js'
import type { Pair } from '../../models/cross-encoder.js'
import { checkInteger, checkOptions, checkType, ownCopy } from '../../options.js'
import { averagePrecision } from '../binary-scores.js'
import { checkTexts, contextCells, invalidData, mean, named, suffix } from '../common.js'
import { appendCsv, pythonFloat } from '../csv.js'
import type { EvaluationContext, EvaluationResult, MetricItems } from '../evaluator.js'
import { descendingOrder } from '../order.js'
import { ndcgWithTies, reciprocalRank } from '../ranking.js'
import { SentenceEvaluator } from '../sentence-evaluator.js'
import { checkPairOptions, type EvaluatedCrossEncoder, PAIR_OPTIONS, type PairOptions, predict } from './common.js'

/** A query with either `negative` or `documents`. */
export interface CrossEncoderRerankingSample {
  query: string
  /** Relevant documents. A single one may be a string. */
  positive: string | readonly string[]
  /** Irrelevant documents. */
  negative?: readonly string[]
  /** Another ranker's results, best first. Those among `positive` are the relevant ones. */
  documents?: readonly string[]
}

/** `batchSize` is 64 unless given; the CSV file is `CrossEncoderRerankingEvaluator_{name}_results_@{k}.csv`. */
export interface CrossEncoderRerankingEvaluatorOptions extends PairOptions {
  samples: readonly CrossEncoderRerankingSample[] | Readonly<Record<string, CrossEncoderRerankingSample>>
  /** MRR and NDCG count the first `atK` documents. Default 10. */
  atK?: number
  /** For samples with `documents`: also rerank positives that are missing from them. Default true. */
  alwaysRerankPositives?: boolean
}

/** The metrics of one ranked list. */
type Measures = [map: number, mrr: number, ndcg: number]

/**
 * How well a cross-encoder with one label ranks the documents of each query, and how well they were ranked before.
 *
 * Metrics: `map`, `mrr@{k}`, `ndcg@{k}` (primary), and for the order of `documents` `base_map`, `base_mrr@{k}`,
 * `base_ndcg@{k}`, with missing positives at the end. For documents of equal score, NDCG and MAP do not depend on the
 * order. MRR does, and Python leaves the order open; here the later one comes first.
 * Source: sentence-transformers `CrossEncoderRerankingEvaluator`.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_INVALID_DATA (samples)
 */
export class CrossEncoderRerankingEvaluator extends SentenceEvaluator<EvaluatedCrossEncoder> {
  override readonly name: string
  readonly #options: CrossEncoderRerankingEvaluatorOptions
  readonly #samples: readonly Checked[]

  constructor(options: CrossEncoderRerankingEvaluatorOptions) {
    super()
    const where = 'CrossEncoderRerankingEvaluator'
    checkOptions(where, options, ['samples', 'atK', 'alwaysRerankPositives', ...PAIR_OPTIONS], {
      mrrAtK: { instead: 'use atK' },
    })
    checkPairOptions(where, options)
    checkInteger(`${where} atK`, options.atK, 1)
    checkType(`${where} alwaysRerankPositives`, options.alwaysRerankPositives, 'boolean')
    this.name = options.name ?? ''
    const own = ownCopy(options)
    this.#options = { batchSize: 64, ...own }
    this.#samples = checkSamples(where, own.samples)
  }

  async evaluate(model: EvaluatedCrossEncoder, context: EvaluationContext = {}): Promise<EvaluationResult> {
    const { atK = 10, writeCsv = true } = this.#options
    if (model.numLabels !== 1) {
      throw invalidData(`CrossEncoderRerankingEvaluator needs a model with one label, this one has ${model.numLabels}`)
    }
    const lists = this.#samples.map((sample) => this.#documents(sample))
    const pairs = lists.flatMap(({ query, documents, relevant }): Pair[] =>
      relevant.includes(1) ? documents.map((document) => [query, document]) : [],
    )
    const { data } = await predict(model, pairs, this.#options, context)
    const reranked: Measures[] = []
    const base: Measures[] = []
    const slice = new TimeSlice()
    let start = 0
    for (const [i, { relevant }] of lists.entries()) {
      const size = relevant.includes(1) ? relevant.length : 0
      reranked.push(await measures(relevant, data.subarray(start, start + size), atK))
      start += size
      const { positive, documents } = this.#samples[i]!
      if (documents) base.push(await baseMeasures(positive, documents, atK))
      await slice.yield()
    }
    const metrics = summary('', reranked, atK)
    if (context.outputPath !== undefined && writeCsv) {
      await appendCsv(
        context.outputPath,
        `CrossEncoderRerankingEvaluator${suffix(this.name)}_results_@${atK}.csv`,
        ['epoch', 'steps', 'MAP', `MRR@${atK}`, `NDCG@${atK}`],
        [...contextCells(context), ...Object.values(metrics).map(pythonFloat)],
      )
    }
    const all = { ...metrics, ...(base.length > 0 && summary('base_', base, atK)) }
    return named(this.name, all, `ndcg@${atK}`, context.items ? itemsOf(reranked, atK) : undefined)
  }

  /** The documents to score for a sample, and their relevance. */
  #documents({ query, positive, negative, documents }: Checked) {
    const { alwaysRerankPositives = true } = this.#options
    if (documents && !alwaysRerankPositives) return { query, documents, relevant: relevance(documents, positive) }
    const others = documents ? documents.filter((document) => !positive.includes(document)) : negative!
    return { query, documents: [...positive, ...others], relevant: [...positive.map(() => 1), ...others.map(() => 0)] }
  }
}

interface Checked extends CrossEncoderRerankingSample {
  positive: readonly string[]
}

function relevance(documents: readonly string[], positive: readonly string[]): number[] {
  const known = new Set(positive)
  return documents.map((document) => (known.has(document) ? 1 : 0))
}

async function baseMeasures(positive: readonly string[], documents: readonly string[], k: number): Promise<Measures> {
  const relevant = relevance(documents, positive)
  const found = relevant.reduce((sum, one) => sum + one, 0)
  if (found === 0) return [0, 0, 0]
  for (let missing = positive.length - found; missing > 0; missing--) relevant.push(1)
  return measures(
    relevant,
    Float32Array.from(relevant, (_, i) => relevant.length - i),
    k,
  )
}

async function measures(relevant: readonly number[], scores: Float32Array, k: number): Promise<Measures> {
  if (!relevant.includes(1)) return [0, 0, 0]
  // Of equal scores the later one comes first, as in a stable ascending sort that is read backwards.
  const last = scores.length - 1
  const order = (await descendingOrder(scores.slice().reverse())).map((place) => last - place)
  const ranked = Array.from(order, (document) => relevant[document]!)
  return [
    averagePrecision(scores, relevant, order),
    reciprocalRank(ranked, k),
    ndcgWithTies(relevant, scores, order, k),
  ]
}

function summary(prefix: string, all: readonly Measures[], k: number): Record<string, number> {
  return {
    [`${prefix}map`]: mean(all.map(([map]) => map)),
    [`${prefix}mrr@${k}`]: mean(all.map(([, mrr]) => mrr)),
    [`${prefix}ndcg@${k}`]: mean(all.map(([, , ndcg]) => ndcg)),
  }
}

/** The metrics of every query. */
function itemsOf(all: readonly Measures[], k: number): Record<string, MetricItems> {
  const of = (place: 0 | 1 | 2) => ({ scores: all.map((measures) => measures[place]) })
  return { map: of(0), [`mrr@${k}`]: of(1), [`ndcg@${k}`]: of(2) }
}

function checkSamples(where: string, given: unknown): Checked[] {
  const isObject = typeof given === 'object' && given !== null
  if (!isObject) throw invalidArgument(`${where} samples`, 'an array', given)
  const samples = (Array.isArray(given) ? given : Object.values(given)) as (CrossEncoderRerankingSample | null)[]
  if (samples.length === 0) throw invalidData(`${where}: expected at least one sample`)
  return samples.map((sample, i) => {
    if (typeof sample?.query !== 'string' || sample.positive === undefined) {
      const found = describe(sample)
      throw invalidData(`${where}: expected { query, positive, … } for samples[${i}] but found ${found}`)
    }
    if ((sample.negative === undefined) === (sample.documents === undefined)) {
      throw invalidData(`${where}: samples[${i}] needs either negative or documents`)
    }
    const positive = typeof sample.positive === 'string' ? [sample.positive] : sample.positive
    checkTexts(`${where} samples[${i}].positive`, positive)
    checkTexts(
      `${where} samples[${i}].${sample.negative ? 'negative' : 'documents'}`,
      sample.negative ?? sample.documents!,
    )
    return { ...sample, positive }
  })
}
