import { TimeSlice } from '../data/time-slice.js'
import { describe } from '../errors.js'
import { type Embeddings, embeddings, firstNotFinite } from '../models/embeddings.js'
import { SparseEmbeddings } from '../models/sparse-embeddings.js'
import { TokenEmbeddings } from '../models/token-embeddings.js'
import { ownOf } from '../search/rows.js'
import { type CommonOptions, checkContext, invalidData } from './common.js'
import type { EvaluatedModel, EvaluationContext } from './evaluator.js'
import type { Rows } from './pair-similarities.js'

/** Numbers between two checks of the clock. */
const STRIDE = 2 ** 16

type EncodeName = 'encode' | 'encodeQuery' | 'encodeDocument'

export interface EmbedOptions extends Pick<CommonOptions, 'batchSize' | 'showProgressBar' | 'truncateDim'> {
  prompt?: string | undefined
  promptName?: string | undefined
  normalizeEmbeddings?: boolean
}

/** {@link embedRows} of a model whose rows are dense. */
export async function embed(
  model: EvaluatedModel,
  how: EncodeName,
  texts: readonly string[],
  options: EmbedOptions,
  context: EvaluationContext,
): Promise<Embeddings> {
  const rows = await embedRows(model, how, texts, options, context)
  if ('shape' in rows) return rows
  throw invalidData(`Expected a model with one dense embedding for each text, but ${how} gave ${rows.constructor.name}`)
}

/**
 * `model[how](texts)` with the options of an evaluator. Absent options are not passed on.
 * @throws ERR_INVALID_DATA naming the first text whose embedding holds NaN or an infinity, because it cannot be ranked
 */
export async function embedRows(
  model: EvaluatedModel,
  how: EncodeName,
  texts: readonly string[],
  { batchSize, showProgressBar = false, truncateDim, prompt, promptName, normalizeEmbeddings }: EmbedOptions,
  context: EvaluationContext,
): Promise<Embeddings | SparseEmbeddings | TokenEmbeddings> {
  checkContext(context)
  const { signal } = context
  const given: Embeddings | SparseEmbeddings | TokenEmbeddings = await model[how](texts, {
    showProgressBar,
    ...(batchSize !== undefined && { batchSize }),
    ...(truncateDim !== undefined && { truncateDim }),
    ...(prompt !== undefined && { prompt }),
    ...(promptName !== undefined && { promptName }),
    ...(normalizeEmbeddings && { normalizeEmbeddings }),
    ...(signal && { signal }),
  })
  // Those of sparse embeddings are finite.
  if (given instanceof SparseEmbeddings) return given
  const isTokens = given instanceof TokenEmbeddings
  const found = isTokens ? given : ownOf(model, given, `what ${how} gave`)
  const { data } = found
  const slice = new TimeSlice()
  for (let start = 0; start < data.length; start += STRIDE) {
    const at = firstNotFinite(data, start, Math.min(start + STRIDE, data.length))
    if (at !== -1) {
      const vector = Math.floor(at / (isTokens ? given.dimension : given.shape[1]))
      const row = isTokens ? given.offsets.findLastIndex((offset) => offset <= vector) : vector
      const text = describe(texts[row])
      throw invalidData(
        `Expected finite numbers in the embedding of text ${row} (${text}), but the model gave ${data[at]}`,
      )
    }
    await slice.yield()
  }
  return found
}

/** Embeds every different text of `columns` once, and returns the rows of each column. */
export async function embedOnce(
  model: EvaluatedModel,
  columns: readonly (readonly string[])[],
  options: EmbedOptions,
  context: EvaluationContext,
): Promise<Rows[]> {
  const slice = new TimeSlice()
  const places = new Map<string, number>()
  for (const column of columns) {
    for (let i = 0; i < column.length; i++) {
      if (!places.has(column[i]!)) places.set(column[i]!, places.size)
      if (i % 1024 === 0) await slice.yield()
    }
  }
  const all = await embedRows(model, 'encode', [...places.keys()], options, context)
  const out: Rows[] = []
  if (all instanceof SparseEmbeddings) {
    const rows = (column: readonly string[]) => column.map((text) => all.row(places.get(text)!))
    return columns.map((column) => SparseEmbeddings.fromRows(rows(column), all.dimension))
  }
  if (all instanceof TokenEmbeddings)
    return columns.map((column) =>
      TokenEmbeddings.fromRows(
        column.map((text) => all.row(places.get(text)!)),
        all.dimension,
      ),
    )
  const width = all.shape[1]
  for (const column of columns) {
    const data = new Float32Array(column.length * width)
    for (let i = 0; i < column.length; i++) {
      data.set(all.row(places.get(column[i]!)!), i * width)
      if (i % 1024 === 0) await slice.yield()
    }
    out.push(embeddings(data, column.length, width))
  }
  return out
}
