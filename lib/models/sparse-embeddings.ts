import { invalidArgument, type SentenceTorchError } from '../errors.js'
import { asEmbeddings, type Embeddings, type EmbeddingsLike, embeddings } from './embeddings.js'

/** What is not 0 of one row: the places, rising, and the value at each. */
export interface SparseRow {
  indices: Int32Array
  values: Float32Array
}

/** The arrays of {@link SparseEmbeddings}. */
export interface SparseEmbeddingsParts {
  /** Places of all values, row after row, rising within a row, each from 0 to `dimension` - 1. */
  indices: Int32Array
  /** The values at these places; finite. */
  values: Float32Array
  /** Where each row begins in `indices` and `values`, and the end: rows + 1 numbers, rising from 0. */
  offsets: Int32Array
  /** Width of a row. */
  dimension: number
}

/**
 * Rows of which nearly all values are 0, such as weights of the words of a vocabulary: the others, in the layout of compressed sparse
 * rows (CSR).
 *
 * ```ts
 * const { indices, values } = embeddings.row(0)
 * ```
 * Source: what sentence-transformers gives as sparse tensors (`torch.sparse_coo_tensor`, coalesced).
 */
export class SparseEmbeddings {
  readonly indices: Int32Array
  readonly values: Float32Array
  readonly offsets: Int32Array
  readonly dimension: number

  /**
   * Takes the arrays as they are, without a copy.
   * @throws SentenceTorchError ERR_INVALID_ARGUMENT where they do not fit each other
   */
  constructor({ indices, values, offsets, dimension }: SparseEmbeddingsParts) {
    if (!Number.isInteger(dimension) || dimension < 1 || dimension > 2 ** 31 - 1)
      throw invalidArgument('dimension', 'an integer from 1 to 2147483647', dimension)
    if (!(indices instanceof Int32Array)) throw invalidArgument('indices', 'an Int32Array', indices)
    if (!(values instanceof Float32Array)) throw invalidArgument('values', 'a Float32Array', values)
    if (values.length !== indices.length)
      throw invalidArgument('values', `${indices.length} values, one for each index`, values.length)
    checkOffsets(offsets, indices.length)
    for (let row = 0; row + 1 < offsets.length; row++)
      checkRow(indices, values, offsets[row]!, offsets[row + 1]!, row, dimension)
    this.indices = indices
    this.values = values
    this.offsets = offsets
    this.dimension = dimension
  }

  /** Number of rows. */
  get length(): number {
    return this.offsets.length - 1
  }

  /** Row `i`, views of `indices` and `values`. Throws ERR_INVALID_ARGUMENT unless 0 ≤ i < rows. */
  row(i: number): SparseRow {
    if (!Number.isInteger(i) || i < 0 || i >= this.length)
      throw invalidArgument('row', `an integer from 0 to ${this.length - 1}`, i)
    const [start, end] = [this.offsets[i]!, this.offsets[i + 1]!]
    return { indices: this.indices.subarray(start, end), values: this.values.subarray(start, end) }
  }

  /** The rows `from` … `to` - 1, views of the same memory. Negative numbers count from the end, as in `Array.slice`. */
  slice(from = 0, to = this.length): SparseEmbeddings {
    const whole = (place: number, name: string) => {
      if (!Number.isInteger(place)) throw invalidArgument(name, 'an integer', place)
      return place < 0 ? Math.max(0, this.length + place) : Math.min(place, this.length)
    }
    const first = whole(from, 'from')
    const end = Math.max(first, whole(to, 'to'))
    const start = this.offsets[first]!
    const [begin, stop] = [start, this.offsets[end]!]
    return new SparseEmbeddings({
      indices: this.indices.subarray(begin, stop),
      values: this.values.subarray(begin, stop),
      offsets: this.offsets.slice(first, end + 1).map((offset) => offset - start),
      dimension: this.dimension,
    })
  }

  /** All values, zeros included: { data, shape: [rows, dimension], row(i) }. */
  toDense(): Embeddings {
    const { indices, values, offsets, dimension, length } = this
    const data = new Float32Array(length * dimension)
    for (let row = 0; row < length; row++)
      for (let k = offsets[row]!; k < offsets[row + 1]!; k++) data[row * dimension + indices[k]!] = values[k]!
    return embeddings(data, length, dimension)
  }

  /** What is not 0 of dense rows. @throws SentenceTorchError ERR_INVALID_ARGUMENT for values that are not finite */
  static fromDense(rows: EmbeddingsLike): SparseEmbeddings {
    const { data, shape } = asEmbeddings(rows, 'rows')
    const [count, dimension] = shape
    const offsets = new Int32Array(count + 1)
    let total = 0
    for (let row = 0; row < count; row++) {
      let found = 0
      for (let k = row * dimension; k < (row + 1) * dimension; k++) if (data[k] !== 0) found++
      total += found
      if (total > MOST_VALUES) throw tooMany(row, total)
      offsets[row + 1] = total
    }
    const indices = new Int32Array(offsets[count]!)
    const values = new Float32Array(offsets[count]!)
    let next = 0
    for (let k = 0; k < data.length; k++) {
      if (data[k] === 0) continue
      indices[next] = k % dimension
      values[next++] = data[k]!
    }
    return new SparseEmbeddings({ indices, values, offsets, dimension })
  }

  /** Copies rows one behind the other. @throws SentenceTorchError ERR_INVALID_ARGUMENT as the constructor */
  static fromRows(rows: readonly SparseRow[], dimension: number): SparseEmbeddings {
    const offsets = new Int32Array(rows.length + 1)
    let total = 0
    rows.forEach(({ indices, values }, row) => {
      if (indices.length !== values.length)
        throw invalidArgument(`rows[${row}]`, `${indices.length} values, one for each index`, values.length)
      total += indices.length
      if (total > MOST_VALUES) throw tooMany(row, total)
      offsets[row + 1] = total
    })
    const indices = new Int32Array(offsets[rows.length]!)
    const values = new Float32Array(offsets[rows.length]!)
    rows.forEach((one, row) => {
      indices.set(one.indices, offsets[row]!)
      values.set(one.values, offsets[row]!)
    })
    return new SparseEmbeddings({ indices, values, offsets, dimension })
  }
}

/** Offsets have 32 bits. */
const MOST_VALUES = 2 ** 31 - 1

function tooMany(row: number, total: number): SentenceTorchError {
  return invalidArgument(
    'rows',
    `at most ${MOST_VALUES} values in all: embed fewer texts at once, or keep fewer values (maxActiveDims)`,
    `${total} up to rows[${row}]`,
  )
}

function checkOffsets(offsets: Int32Array, count: number): void {
  if (!(offsets instanceof Int32Array) || offsets.length < 1)
    throw invalidArgument('offsets', 'an Int32Array of rows + 1 numbers', offsets)
  if (offsets[0] !== 0) throw invalidArgument('offsets', '0 as the first number', offsets[0]!)
  for (let row = 1; row < offsets.length; row++)
    if (offsets[row]! < offsets[row - 1]!)
      throw invalidArgument(`offsets[${row}]`, `at least ${offsets[row - 1]}`, offsets[row]!)
  const last = offsets[offsets.length - 1]!
  if (last !== count) throw invalidArgument('offsets', `${count}, the number of values, as the last number`, last)
}

function checkRow(
  indices: Int32Array,
  values: Float32Array,
  start: number,
  end: number,
  row: number,
  dimension: number,
): void {
  let before = -1
  for (let k = start; k < end; k++) {
    const index = indices[k]!
    if (index <= before || index >= dimension)
      throw invalidArgument(
        `indices[${k}]`,
        `an index from ${before + 1} to ${dimension - 1}, rising within row ${row}`,
        index,
      )
    if (!Number.isFinite(values[k]!)) throw invalidArgument(`values[${k}]`, 'a finite number', values[k]!)
    before = index
  }
}
