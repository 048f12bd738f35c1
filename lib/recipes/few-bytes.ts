/** What a model is worth when its embeddings take fewer bytes: cut, and quantised. */
import type { EvaluatedModel, EvaluationContext, Evaluator } from '../evaluation/evaluator.js'
import { type Embeddings, embeddings, normalizeRows, truncateRows } from '../models/embeddings.js'
import type { EncodeOptions } from '../models/types.js'
import { quantizeEmbeddings } from '../search/quantize.js'

export const PRECISIONS = ['float32', 'int8', 'binary'] as const
export type CodePrecision = (typeof PRECISIONS)[number]

/** A way to keep embeddings. */
export interface Size {
  /** Numbers that are kept of an embedding. */
  dim: number
  precision: CodePrecision
  /** Whether a query is compared with all its numbers, as rescoring does, and not with its codes. */
  isRescored: boolean
  /** Of a vector. */
  bytes: number
}

export interface SizeQuality extends Size {
  /** The evaluator's primary metric. */
  metric: string
  value: number
}

type EncodeName = 'encode' | 'encodeQuery' | 'encodeDocument'
type Encoding = Pick<EncodeOptions, 'prompt' | 'promptName' | 'batchSize' | 'signal'>

/** A model that embeds every text once. */
export class KeptEmbeddings {
  readonly #model: EvaluatedModel
  readonly #kept = new Map<string, Float32Array>()

  constructor(model: EvaluatedModel) {
    this.#model = model
  }

  get similarityFnName() {
    return this.#model.similarityFnName
  }

  /** Whole embeddings, not normalised. */
  async rows(how: EncodeName, texts: readonly string[], options: Encoding): Promise<Float32Array[]> {
    const { prompt, promptName } = options
    const keys = texts.map((text) => JSON.stringify([how, prompt, promptName, text]))
    const missing = new Map<string, string>()
    for (const [i, key] of keys.entries()) if (!this.#kept.has(key)) missing.set(key, texts[i]!)
    if (missing.size > 0) {
      const found = await this.#model[how]([...missing.values()], options)
      for (const [i, key] of [...missing.keys()].entries()) this.#kept.set(key, found.row(i))
    }
    return keys.map((key) => this.#kept.get(key)!)
  }
}

/** A model as it is when its vectors have this size; codes stand for the numbers in the middle of what they mean. */
class FewBytes implements EvaluatedModel {
  /** Whether somebody embedded queries apart from documents. */
  hasQueries = false
  readonly #model: KeptEmbeddings
  readonly #size: Size
  readonly #calibration: readonly string[]
  #ranges: Promise<Embeddings> | undefined

  constructor(model: KeptEmbeddings, size: Size, calibration: readonly string[]) {
    this.#model = model
    this.#size = size
    this.#calibration = calibration
  }

  get similarityFnName() {
    return this.#model.similarityFnName
  }

  async encode(texts: readonly string[], options: Encoding = {}): Promise<Embeddings> {
    return this.#decoded(await this.#cut('encode', texts, options))
  }

  async encodeQuery(texts: readonly string[], options: Encoding = {}): Promise<Embeddings> {
    this.hasQueries = true
    const whole = await this.#cut('encodeQuery', texts, options)
    return this.#size.isRescored ? whole : this.#decoded(whole)
  }

  async encodeDocument(texts: readonly string[], options: Encoding = {}): Promise<Embeddings> {
    return this.#decoded(await this.#cut('encodeDocument', texts, options))
  }

  async #cut(how: EncodeName, texts: readonly string[], options: Encoding): Promise<Embeddings> {
    const { prompt, promptName, batchSize, signal } = options
    const given = { prompt, promptName, batchSize, signal }
    const known = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
    const rows = await this.#model.rows(how, texts, known)
    const full = rows[0]?.length ?? this.#size.dim
    const all = new Float32Array(rows.length * full)
    for (const [i, row] of rows.entries()) all.set(row, i * full)
    const { data, width } = truncateRows(all, full, this.#size.dim)
    return embeddings(normalizeRows(data, width), rows.length, width)
  }

  async #decoded(rows: Embeddings): Promise<Embeddings> {
    const { precision } = this.#size
    if (precision === 'float32') return rows
    const [count, width] = rows.shape
    const out = new Float32Array(count * width)
    if (precision === 'binary') {
      const { data, shape } = await quantizeEmbeddings(rows, 'ubinary', { copy: false })
      for (let i = 0; i < out.length; i++) {
        const [row, column] = [Math.floor(i / width), i % width]
        out[i] = (data[row * shape[1] + (column >> 3)]! >> (7 - (column & 7))) & 1 ? 1 : -1
      }
    } else {
      this.#ranges ??= this.#rangesOf()
      const ranges = await this.#ranges
      const { data } = await quantizeEmbeddings(rows, 'int8', { ranges, copy: false })
      const [low, high] = [ranges.row(0), ranges.row(1)]
      for (let i = 0; i < out.length; i++) {
        const column = i % width
        out[i] = low[column]! + ((data[i]! + 128.5) * (high[column]! - low[column]!)) / 255
      }
    }
    return embeddings(out, count, width)
  }

  /** Least and greatest value of each number, over the texts of the calibration. */
  async #rangesOf(): Promise<Embeddings> {
    const { data, shape } = await this.#cut('encode', this.#calibration, {})
    const width = shape[1]
    const out = new Float32Array(2 * width).fill(Number.POSITIVE_INFINITY, 0, width)
    out.fill(Number.NEGATIVE_INFINITY, width)
    for (const [i, value] of data.entries()) {
      const column = i % width
      out[column] = Math.min(out[column]!, value)
      out[width + column] = Math.max(out[width + column]!, value)
    }
    return embeddings(out, 2, width)
  }
}

/**
 * The primary metric of an evaluator for every size. Embeddings are cut, normalised, then quantised. Where the evaluator embeds
 * queries apart, codes are also measured with whole queries.
 * @param calibration texts that give the ranges of int8
 */
export async function qualityBySize(
  model: EvaluatedModel,
  evaluator: Evaluator,
  { dims, precisions }: { dims: readonly number[]; precisions: readonly CodePrecision[] },
  calibration: readonly string[],
  context: EvaluationContext = {},
): Promise<SizeQuality[]> {
  const kept = new KeptEmbeddings(model)
  const rows: SizeQuality[] = []
  const measure = async (size: Size): Promise<boolean> => {
    const view = new FewBytes(kept, size, calibration)
    const { metrics, primaryMetric } = await evaluator.evaluate(view, context)
    rows.push({ ...size, metric: primaryMetric, value: metrics[primaryMetric]! })
    return view.hasQueries
  }
  for (const dim of dims) {
    for (const precision of precisions) {
      const bytes = precision === 'float32' ? 4 * dim : precision === 'int8' ? dim : Math.ceil(dim / 8)
      const hasQueries = await measure({ dim, precision, bytes, isRescored: false })
      if (hasQueries && precision !== 'float32') await measure({ dim, precision, bytes, isRescored: true })
    }
  }
  return rows
}
