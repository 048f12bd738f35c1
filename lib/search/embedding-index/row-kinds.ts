// What the rows of an index are: embeddings, sparse ones, or the vectors of a text's tokens.
import { invalidArgument, SentenceTorchError } from '../../errors.js'
import { copyOf, type Embeddings, type EmbeddingsLike, ownEmbeddings } from '../../models/embeddings.js'
import { MAX_SIM_NAMES, type MaxSimName } from '../../models/multi-vector/folder.js'
import { TOKEN_PRECISIONS } from '../../models/multi-vector/precision.js'
import { SparseEmbeddings } from '../../models/sparse-embeddings.js'
import { type AnyTokenEmbeddings, TokenEmbeddings } from '../../models/token-embeddings.js'
import type { Metric } from '../../native/types.js'
import { checkOneOf } from '../../options.js'
import { checkFinite } from '../blocks.js'
import { metricOf, type ScoreFunction } from '../score-function.js'
import { codesOf } from './codes.js'
import type { IndexPrecision, IndexSettings, PartName, RowKind } from './format.js'

export type IndexRowsLike = EmbeddingsLike | SparseEmbeddings | AnyTokenEmbeddings
/** Rows in memory that is ours alone. */
export type OwnRows = Embeddings | SparseEmbeddings | AnyTokenEmbeddings

export const KIND_NAMES: Record<RowKind, string> = {
  dense: 'embeddings',
  sparse: 'SparseEmbeddings',
  tokens: 'TokenEmbeddings',
}

export function kindOf(rows: unknown): RowKind {
  if (rows instanceof SparseEmbeddings) return 'sparse'
  return rows instanceof TokenEmbeddings ? 'tokens' : 'dense'
}

/** A copy of a caller's rows. @throws SentenceTorchError ERR_INVALID_ARGUMENT, ERR_OUT_OF_MEMORY */
export function ownRows(value: IndexRowsLike, name: string): OwnRows {
  if (value instanceof SparseEmbeddings) {
    const { indices, values, offsets, dimension } = value
    return new SparseEmbeddings({
      ...{ indices: indices.slice(), values: copyOf(values, name), offsets: offsets.slice(), dimension },
    })
  }
  if (!(value instanceof TokenEmbeddings)) return ownEmbeddings(value, name)
  return value.owned((data) => copyOf(data, name))
}

/** Vectors of tokens in the precision of the index. @throws SentenceTorchError ERR_INVALID_ARGUMENT for those in another, less exact one */
export async function inPrecision(name: string, rows: OwnRows, { precision }: IndexSettings): Promise<OwnRows> {
  if (!(rows instanceof TokenEmbeddings) || rows.precision === precision) return rows
  if (rows.precision === 'float32') return rows.toPrecision(precision)
  throw invalidArgument(name, `vectors of ${precision}, as the index has, or of float32`, `those of ${rows.precision}`)
}

export function dimensionOf(rows: OwnRows): number {
  return 'shape' in rows ? rows.shape[1] : rows.dimension
}

export function countOf(rows: OwnRows): number {
  return 'shape' in rows ? rows.shape[0] : rows.length
}

/** How rows of a kind are compared. @throws SentenceTorchError ERR_INVALID_ARGUMENT */
export function scoreOf(kind: RowKind, score: ScoreFunction | MaxSimName | undefined): Metric | MaxSimName {
  if (kind !== 'tokens') return metricOf(score ?? (kind === 'sparse' ? 'dot' : 'cosine'))
  checkOneOf('scoreFunction of TokenEmbeddings', score, MAX_SIM_NAMES)
  return (score as MaxSimName | undefined) ?? 'maxsim'
}

/** @throws SentenceTorchError ERR_INVALID_ARGUMENT for codes that there are not */
export function checkPrecision(kind: RowKind, precision: IndexPrecision, scoreFunction: Metric | MaxSimName): void {
  const known = { dense: ['float32', 'int8', 'binary'], sparse: ['float32'], tokens: TOKEN_PRECISIONS }[kind]
  checkOneOf(kind === 'dense' ? 'precision' : `precision of ${KIND_NAMES[kind]}`, precision, known)
  if (kind !== 'dense' || precision === 'float32') return
  if (scoreFunction !== 'cosine' && scoreFunction !== 'dot')
    throw invalidArgument(`scoreFunction of the precision ${precision}`, 'cosine or dot', scoreFunction)
}

/** @throws SentenceTorchError ERR_INVALID_DATA for a row that is not finite, by its number; sparse rows are finite */
export function checkFiniteRows(rows: OwnRows, name: string): void {
  if ('shape' in rows) checkFinite(rows, name)
  else if (rows instanceof TokenEmbeddings && rows.precision === 'float32') {
    for (let i = 0; i < rows.length; i++) checkFinite(rows.row(i) as Embeddings, `${name}.row(${i})`)
  } else if (rows instanceof TokenEmbeddings && rows.precision === 'float16') {
    const at = (rows.data as Uint16Array).findIndex((bits) => (bits & 0x7c00) === 0x7c00)
    if (at === -1) return
    const row = rows.offsets.findLastIndex((offset) => offset <= Math.floor(at / rows.dimension))
    throw new SentenceTorchError(
      'ERR_INVALID_DATA',
      `Expected finite numbers in ${name}.row(${row}), found one beyond float16`,
    )
  }
}

/** The parts of a segment that hold the rows. */
export async function packRows(rows: OwnRows, settings: IndexSettings): Promise<Partial<Record<PartName, Uint8Array>>> {
  if (rows instanceof SparseEmbeddings) {
    const { indices, values, offsets } = rows
    return { vectors: bytesOf(values), codes: bytesOf(indices), factors: bytesOf(offsets.subarray(1)) }
  }
  if (rows instanceof TokenEmbeddings) {
    const { data, offsets, dimension, precision } = rows
    const parts = { vectors: bytesOf(data), factors: bytesOf(offsets.subarray(1)) }
    return precision === 'int8' ? { ...parts, codes: bytesOf(rows.ranges?.data ?? unitRanges(dimension)) } : parts
  }
  const { codes, factors } = await codesOf(rows, settings)
  return { vectors: bytesOf(rows.data), codes, factors: bytesOf(factors) }
}

/** @throws SentenceTorchError ERR_INVALID_ARGUMENT unless the rows are of the index's kind and width */
export function checkRows(
  name: string,
  rows: OwnRows,
  { kind = 'dense', dimension }: Pick<IndexSettings, 'kind' | 'dimension'>,
): void {
  if (countOf(rows) === 0 && kindOf(rows) === 'dense') return
  if (kindOf(rows) !== kind)
    throw invalidArgument(name, `${KIND_NAMES[kind]}, as the index has`, KIND_NAMES[kindOf(rows)])
  if (dimensionOf(rows) !== dimension)
    throw invalidArgument(name, `rows of ${dimension} numbers, as the index has`, `rows of ${dimensionOf(rows)}`)
}

/** The ranges in which bytes stand for themselves. */
function unitRanges(dimension: number): Float32Array {
  return new Float32Array(2 * dimension).fill(-128.5, 0, dimension).fill(126.5, dimension)
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}
