/** Rows as `encode` of the classes gives them, or in fewer bits. */
import type { Embeddings } from '../models/embeddings.js'
import { SparseEmbeddings } from '../models/sparse-embeddings.js'
import { TokenEmbeddings } from '../models/token-embeddings.js'
import type { RowKind } from '../search/embedding-index/format.js'
import type { Precision, QuantizedEmbeddings } from '../search/quantize.js'

/** Rows with as many numbers as one another. */
export type DenseRows = Pick<Embeddings | QuantizedEmbeddings, 'data' | 'shape'>
export type EncodedRows = DenseRows | SparseEmbeddings | TokenEmbeddings

/** What all rows of a file have in common. */
export interface RowLayout {
  kind: RowKind
  precision: Precision
  /** Numbers of a row, or of a token's vector; where they are packed, bytes. */
  width: number
}

/** Numbers of a row in this precision. */
export function widthOf(dimension: number, precision: Precision): number {
  return precision.endsWith('binary') ? Math.ceil(dimension / 8) : dimension
}

export function kindOfRows(rows: EncodedRows): RowKind {
  if (rows instanceof SparseEmbeddings) return 'sparse'
  return rows instanceof TokenEmbeddings ? 'tokens' : 'dense'
}

export function lengthOfRows(rows: EncodedRows): number {
  return 'shape' in rows ? rows.shape[0] : rows.length
}

/** The memory of an array. */
export function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength)
}
