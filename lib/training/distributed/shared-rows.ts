// What models give of texts, as bytes that go from one process to another.
import { invalidArgument } from '../../errors.js'
import { type Embeddings, embeddings } from '../../models/embeddings.js'
import { type Scores, scores } from '../../models/scores.js'
import { SparseEmbeddings } from '../../models/sparse-embeddings.js'
import { TokenEmbeddings } from '../../models/token-embeddings.js'

/** Embeddings of any kind of model, or the scores of a cross-encoder. */
export type SharedRows = Embeddings | SparseEmbeddings | TokenEmbeddings | Scores

/** What is said of the bytes of some rows. */
export interface RowsHead {
  kind: 'dense' | 'sparse' | 'tokens' | 'scores'
  rows: number
  /** Numbers of a row, or of a vector. */
  width: number
  /** Numbers of each array, in the order of the bytes: 4 bytes a number. */
  lengths: number[]
}

type Numbers = Float32Array | Int32Array

export function packRows(found: SharedRows): [RowsHead, Uint8Array] {
  if (found instanceof SparseEmbeddings) {
    const { length, dimension, offsets, indices, values } = found
    return pack('sparse', length, dimension, [offsets, indices, values])
  }
  if (found instanceof TokenEmbeddings) {
    const { length, dimension, offsets, data } = found
    if (data instanceof Float32Array) return pack('tokens', length, dimension, [offsets, data])
  } else if (found?.data instanceof Float32Array && Array.isArray(found.shape)) {
    const { data, shape } = found
    const [rows, width = 1] = shape
    return pack(shape.length === 1 ? 'scores' : 'dense', rows, width, [data])
  }
  throw invalidArgument('what the model gave', 'float32 embeddings or scores', found)
}

function pack(kind: RowsHead['kind'], rows: number, width: number, arrays: readonly Numbers[]): [RowsHead, Uint8Array] {
  const lengths = arrays.map(({ length }) => length)
  const bytes = new Uint8Array(4 * lengths.reduce((sum, length) => sum + length, 0))
  let start = 0
  for (const { buffer, byteOffset, byteLength } of arrays) {
    bytes.set(new Uint8Array(buffer, byteOffset, byteLength), start)
    start += byteLength
  }
  return [{ kind, rows, width, lengths }, bytes]
}

/** The rows of {@link packRows}: views of `bytes`, which begin at a multiple of 4. */
export function unpackRows({ kind, rows, width, lengths }: RowsHead, { buffer, byteOffset }: Uint8Array): SharedRows {
  const starts = lengths.map((_, i) => byteOffset + 4 * lengths.slice(0, i).reduce((sum, length) => sum + length, 0))
  const floats = (i: number) => new Float32Array(buffer as ArrayBuffer, starts[i], lengths[i])
  const integers = (i: number) => new Int32Array(buffer as ArrayBuffer, starts[i], lengths[i])
  switch (kind) {
    case 'sparse':
      return new SparseEmbeddings({ offsets: integers(0), indices: integers(1), values: floats(2), dimension: width })
    case 'tokens':
      return new TokenEmbeddings(floats(1), integers(0), width)
    case 'dense':
      return embeddings(floats(0), rows, width)
    case 'scores':
      return scores(floats(0), rows, width)
  }
}

/**
 * The rows of all parts in another order.
 * @param places of the rows: the number of the part, and of the row in it
 */
export function joinRows(parts: readonly SharedRows[], places: readonly (readonly [number, number])[]): SharedRows {
  const [first] = parts
  // All parts are of one kind: they are what one method of one model gave.
  const rowsOf = <T extends SharedRows>() =>
    places.map(([part, row]) => (parts[part] as T).row(row) as ReturnType<T['row']>)
  if (first instanceof SparseEmbeddings) return SparseEmbeddings.fromRows(rowsOf<SparseEmbeddings>(), first.dimension)
  if (first instanceof TokenEmbeddings) return TokenEmbeddings.fromRows(rowsOf<TokenEmbeddings>(), first.dimension)
  const { shape } = first as Embeddings | Scores
  const width = shape[1] ?? 1
  const data = new Float32Array(places.length * width)
  for (const [i, row] of rowsOf<Embeddings | Scores>().entries()) data.set(row, i * width)
  return shape.length === 1 ? scores(data, places.length, 1) : embeddings(data, places.length, width)
}
