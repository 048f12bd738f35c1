// What the rows of an index are: embeddings, sparse ones, or the vectors of a text's tokens.
import { invalidArgument } from '../../errors.js'
import { copyOf, type Embeddings, type EmbeddingsLike, ownEmbeddings } from '../../models/embeddings.js'
import { MAX_SIM_NAMES, type MaxSimName } from '../../models/multi-vector/folder.js'
import { SparseEmbeddings } from '../../models/sparse-embeddings.js'
import { TokenEmbeddings } from '../../models/token-embeddings.js'
import type { Metric } from '../../native/types.js'
import { checkOneOf } from '../../options.js'
import { checkFinite } from '../blocks.js'
import { metricOf, type ScoreFunction } from '../score-function.js'
import { codesOf } from './codes.js'
import type { IndexPrecision, IndexSettings, PartName, RowKind } from './format.js'

export type IndexRowsLike = EmbeddingsLike | SparseEmbeddings | TokenEmbeddings
/** Rows in memory that is ours alone. */
export type OwnRows = Embeddings | SparseEmbeddings | TokenEmbeddings

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
  const { data, offsets, dimension } = value
  return new TokenEmbeddings(copyOf(data, name), offsets.slice(), dimension)
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
  if (precision === 'float32') return
  if (kind !== 'dense') throw invalidArgument(`precision of ${KIND_NAMES[kind]}`, 'float32', precision)
  if (scoreFunction !== 'cosine' && scoreFunction !== 'dot')
    throw invalidArgument(`scoreFunction of the precision ${precision}`, 'cosine or dot', scoreFunction)
}

/** @throws SentenceTorchError ERR_INVALID_DATA for a row that is not finite, by its number; sparse rows are finite */
export function checkFiniteRows(rows: OwnRows, name: string): void {
  if ('shape' in rows) checkFinite(rows, name)
  else if (rows instanceof TokenEmbeddings) {
    for (let i = 0; i < rows.length; i++) checkFinite(rows.row(i), `${name}.row(${i})`)
  }
}

/** The parts of a segment that hold the rows. */
export async function packRows(rows: OwnRows, settings: IndexSettings): Promise<Partial<Record<PartName, Uint8Array>>> {
  if (rows instanceof SparseEmbeddings) {
    const { indices, values, offsets } = rows
    return { vectors: bytesOf(values), codes: bytesOf(indices), factors: bytesOf(offsets.subarray(1)) }
  }
  if (rows instanceof TokenEmbeddings)
    return { vectors: bytesOf(rows.data), factors: bytesOf(rows.offsets.subarray(1)) }
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

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array | Int32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}
