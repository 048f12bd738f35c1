import { invalidArgument } from '../../errors.js'
import { SparseEmbeddings } from '../../models/sparse-embeddings.js'
import type { Metric } from '../../native/types.js'
import type { EvaluatedModel } from '../evaluator.js'

/** Options of the `encode` of a sparse model that evaluators pass on. */
export interface SparseEvaluationEncodeOptions {
  batchSize?: number
  showProgressBar?: boolean
  prompt?: string
  promptName?: string
  signal?: AbortSignal
  maxActiveDims?: number
}

type Encode = (texts: readonly string[], options?: SparseEvaluationEncodeOptions) => Promise<SparseEmbeddings>

/** The part of a model that evaluators of sparse models use; a `SparseEncoder` is one. */
export interface EvaluatedSparseModel {
  encode: Encode
  /** `encode` with the prompt for queries. */
  encodeQuery: Encode
  /** `encode` with the prompt for documents. */
  encodeDocument: Encode
  readonly similarityFnName: Metric
}

type EncodeName = 'encode' | 'encodeQuery' | 'encodeDocument'

/** How sparse the rows of one call were. */
interface Call {
  how: EncodeName
  rows: number
  /** Values of a row, and the share of zeros: means over the rows. */
  activeDims: number
  sparsityRatio: number
}

/** Watches a sparse model that an evaluator uses: how sparse its embeddings are. */
export class SparsityWatch {
  readonly calls: Call[] = []
  /** What the evaluator gets. */
  readonly model: EvaluatedModel
  /** Rows with a value in each column, by the way that texts were embedded. */
  readonly #counts = new Map<EncodeName, Float64Array>()

  /** @throws SentenceTorchError ERR_INVALID_ARGUMENT for what is no model */
  constructor(model: EvaluatedSparseModel, maxActiveDims: number | undefined) {
    if (typeof model?.encode !== 'function') throw invalidArgument('model', 'a SparseEncoder', model)
    const encode = (how: EncodeName) => async (texts: readonly string[], options?: SparseEvaluationEncodeOptions) => {
      const limit = maxActiveDims === undefined ? {} : { maxActiveDims }
      const rows: unknown = await model[how](texts, { ...options, ...limit })
      if (!(rows instanceof SparseEmbeddings))
        throw invalidArgument('model', `a SparseEncoder, whose ${how} gives SparseEmbeddings`, rows)
      this.#note(how, rows)
      return rows
    }
    // The evaluators compare rows of both kinds; their types name the usual one.
    this.model = {
      similarityFnName: model.similarityFnName,
      encode: encode('encode'),
      encodeQuery: encode('encodeQuery'),
      encodeDocument: encode('encodeDocument'),
    } as unknown as EvaluatedModel
  }

  /**
   * Multiplications of a query with a document: the sum over the columns of the share of queries times the share of documents
   * with a value there.
   */
  get flops(): number {
    const shares = (how: EncodeName) => {
      const rows = this.calls.reduce((sum, call) => sum + (call.how === how ? call.rows : 0), 0)
      return (this.#counts.get(how) ?? new Float64Array()).map((count) => count / rows)
    }
    const [queries, documents] = [shares('encodeQuery'), shares('encodeDocument')]
    return queries.reduce((sum, share, column) => sum + share * (documents[column] ?? 0), 0)
  }

  #note(how: EncodeName, { length, dimension, indices }: SparseEmbeddings): void {
    const activeDims = length === 0 ? 0 : indices.length / length
    this.calls.push({ how, rows: length, activeDims, sparsityRatio: 1 - activeDims / dimension })
    const counts = this.#counts.get(how) ?? new Float64Array(dimension)
    this.#counts.set(how, counts)
    for (const column of indices) counts[column]!++
  }
}

type Numbers = Record<string, number>

/** `active_dims` and `sparsity_ratio` behind a prefix: the mean over calls, or over their rows. */
export function sparsityOf(calls: readonly Call[], prefix: string, byRows = false): Numbers {
  const weight = ({ rows }: Call) => (byRows ? rows : 1)
  const total = calls.reduce((sum, call) => sum + weight(call), 0)
  const mean = (value: (call: Call) => number) =>
    calls.reduce((sum, call) => sum + weight(call) * value(call), 0) / total
  return {
    [`${prefix}active_dims`]: mean(({ activeDims }) => activeDims),
    [`${prefix}sparsity_ratio`]: mean(({ sparsityRatio }) => sparsityRatio),
  }
}

/** Of all calls. */
export function overallSparsity({ calls }: SparsityWatch): Numbers {
  return sparsityOf(calls, '')
}

/** Of queries and of documents. */
export function sidesSparsity({ calls }: SparsityWatch, byRows = false): Numbers {
  const of = (name: EncodeName) => calls.filter(({ how }) => how === name)
  return { ...sparsityOf(of('encodeQuery'), 'query_', byRows), ...sparsityOf(of('encodeDocument'), 'corpus_', byRows) }
}

/** Of a search: the sides by rows, since the corpus comes in pieces, and the multiplications. */
export function retrievalSparsity(watch: SparsityWatch): Numbers {
  return { ...sidesSparsity(watch, true), avg_flops: watch.flops }
}
