import { TimeSlice } from '../data/time-slice.js'
import { describe, invalidArgument } from '../errors.js'
import { throwIfAborted } from '../io/abort.js'
import { checkInteger, checkOptions, checkType, ownCopy } from '../options.js'
import { fuseRanks } from '../search/reciprocal-rank-fusion.js'
import { averagePrecision } from './binary-scores.js'
import {
  type CommonOptions,
  checkCommon,
  checkContext,
  checkTexts,
  contextCells,
  invalidData,
  mean,
  named,
  suffix,
} from './common.js'
import { appendCsv, pythonFloat } from './csv.js'
import type { EvaluationContext, EvaluationResult } from './evaluator.js'
import { writeLines } from './predictions.js'
import { pythonString } from './python-json.js'
import { ndcgWithTies, reciprocalRank } from './ranking.js'
import { SentenceEvaluator } from './sentence-evaluator.js'

export interface FusionSample {
  /** The same in both lists of samples. */
  queryId: string
  query: string
  /** Relevant documents. A single one may be a string. */
  positive: string | readonly string[]
  /** What was found, best first. */
  documents: readonly string[]
}

/** The CSV file is `ReciprocalRankFusion_evaluation_{name}_results.csv`. */
export interface ReciprocalRankFusionEvaluatorOptions extends Pick<CommonOptions, 'name' | 'writeCsv'> {
  /** What a dense model found for each query. */
  denseSamples: readonly FusionSample[]
  /** What a sparse model found for the same queries, in the same order. */
  sparseSamples: readonly FusionSample[]
  /** MRR and NDCG count the first `atK` documents. Default 10. */
  atK?: number
  /** Added to every rank. Default 60. */
  rrfK?: number
  /** Write the fused documents to `ReciprocalRankFusion_evaluation_{name}_predictions.jsonl`. Default false. */
  writePredictions?: boolean
}

/**
 * Hybrid search: how well two rankings of each query, and one of both by reciprocal rank fusion, place relevant documents. Equal
 * sums keep the order of the dense ranking. Relevant documents that were not found count as if they followed the last one, as in
 * Python; a query of which none was found counts 0. No model is used: `evaluate(undefined, { outputPath })`.
 *
 * Metrics: `dense_map`, `dense_mrr@{k}`, `dense_ndcg@{k}`, the same with `sparse_`, and `map`, `mrr@{k}`, `ndcg@{k}` of both.
 * Primary: `ndcg@{k}`. Source: sentence-transformers `ReciprocalRankFusionEvaluator`.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_INVALID_DATA (samples, queries that differ)
 */
export class ReciprocalRankFusionEvaluator extends SentenceEvaluator<unknown> {
  override readonly name: string
  readonly #options: Omit<ReciprocalRankFusionEvaluatorOptions, 'denseSamples' | 'sparseSamples'>
  readonly #samples: readonly (readonly [dense: Checked, sparse: Checked])[]

  constructor(options: ReciprocalRankFusionEvaluatorOptions) {
    super()
    const where = 'ReciprocalRankFusionEvaluator'
    checkOptions(where, options, [
      ...['denseSamples', 'sparseSamples', 'atK', 'rrfK', 'name', 'writeCsv', 'writePredictions'],
    ])
    checkCommon(where, options)
    checkInteger(`${where} atK`, options.atK, 1)
    checkInteger(`${where} rrfK`, options.rrfK, 0)
    checkType(`${where} writePredictions`, options.writePredictions, 'boolean')
    const { denseSamples, sparseSamples, ...rest } = ownCopy(options)
    const dense = checked(`${where} denseSamples`, denseSamples)
    const sparse = checked(`${where} sparseSamples`, sparseSamples)
    if (dense.length !== sparse.length)
      throw invalidData(
        `${where}: expected as many denseSamples as sparseSamples, found ${dense.length} and ${sparse.length}`,
      )
    this.#samples = dense.map((sample, i) => {
      if (sample.queryId === sparse[i]!.queryId) return [sample, sparse[i]!]
      const found = `${describe(sample.queryId)} and ${describe(sparse[i]!.queryId)}`
      throw invalidData(`${where}: expected the same queryId in samples ${i} of both, found ${found}`)
    })
    this.name = options.name ?? ''
    this.#options = rest
  }

  async evaluate(_model?: unknown, context: EvaluationContext = {}): Promise<EvaluationResult> {
    checkContext(context)
    const { atK = 10, rrfK = 60, writeCsv = true, writePredictions = false } = this.#options
    const names = ['map', `mrr@${atK}`, `ndcg@${atK}`]
    const values = new Map(
      ['dense_', 'sparse_', ''].flatMap((side) => names.map((name) => [side + name, [] as number[]])),
    )
    const lines: string[] = []
    const slice = new TimeSlice()
    for (const [dense, sparse] of this.#samples) {
      throwIfAborted(context.signal, 'The evaluation')
      const fused = fuseRanks([dense.documents, sparse.documents], rrfK).map(([document]) => document)
      for (const [side, documents] of [
        ['dense_', dense.documents],
        ['sparse_', sparse.documents],
        ['', fused],
      ] as const) {
        // The dense sample says for both what is relevant, as in Python.
        const measured = measures(documents, dense.positive, atK)
        names.forEach((name, i) => {
          values.get(side + name)!.push(measured[i]!)
        })
      }
      if (writePredictions) lines.push(prediction(dense, fused))
      await slice.yield()
    }
    const metrics = Object.fromEntries([...values].map(([name, list]) => [name, mean(list)]))
    if (context.outputPath !== undefined) {
      const file = `ReciprocalRankFusion_evaluation${suffix(this.name)}`
      if (writeCsv) {
        const titles = ['MAP', `MRR@${atK}`, `NDCG@${atK}`]
        const headers = ['Dense', 'Sparse', 'Fusion'].flatMap((side) => titles.map((title) => `${side}_${title}`))
        const cells = [...contextCells(context), ...Object.values(metrics).map(pythonFloat)]
        await appendCsv(context.outputPath, `${file}_results.csv`, ['epoch', 'steps', ...headers], cells)
      }
      if (writePredictions) await writeLines(context.outputPath, `${file}_predictions.jsonl`, lines)
    }
    const items = Object.fromEntries([...values].map(([name, scores]) => [name, { scores }]))
    return named(this.name, metrics, `ndcg@${atK}`, context.items ? items : undefined)
  }
}

/** MAP, MRR and NDCG of one ranking. */
function measures(documents: readonly string[], positive: readonly string[], atK: number): [number, number, number] {
  const wanted = new Set(positive)
  const relevant = documents.map((document) => Number(wanted.has(document)))
  const found = relevant.reduce((sum, one) => sum + one, 0)
  if (found === 0) return [0, 0, 0]
  for (let i = found; i < positive.length; i++) relevant.push(1)
  const order = relevant.map((_, i) => i)
  const scores = order.map((i) => -i)
  const ap = averagePrecision(scores, relevant, order)
  return [ap, reciprocalRank(relevant, atK), ndcgWithTies(relevant, scores, order, atK)]
}

function prediction({ queryId, query, positive }: Checked, fused: readonly string[]): string {
  const list = (texts: readonly string[]) => `[${texts.map(pythonString).join(', ')}]`
  return `{"query_id": ${pythonString(queryId)}, "query": ${pythonString(query)}, "positive": ${list(positive)}, "documents": ${list(fused)}}\n`
}

interface Checked extends FusionSample {
  positive: readonly string[]
}

function checked(where: string, samples: unknown): Checked[] {
  if (!Array.isArray(samples)) throw invalidArgument(where, 'an array', samples)
  if (samples.length === 0) throw invalidData(`${where}: expected at least one sample`)
  return samples.map((sample: Partial<FusionSample> | null, i) => {
    const { queryId, query, positive, documents } = sample ?? {}
    if (typeof queryId !== 'string' || typeof query !== 'string' || positive === undefined || documents === undefined) {
      const expected = '{ queryId, query, positive, documents }'
      throw invalidData(`Expected ${expected} for ${where}[${i}] but found ${describe(sample)}`)
    }
    const list = typeof positive === 'string' ? [positive] : positive
    checkTexts(`${where}[${i}].positive`, list)
    checkTexts(`${where}[${i}].documents`, documents)
    return { queryId, query, positive: list, documents }
  })
}
