import { SentenceTorchError } from '../errors.js'
import type { Metric } from '../native/types.js'
import { type Embeddings, embeddings } from './embeddings.js'
import { SparseEmbeddings, type SparseRow } from './sparse-embeddings.js'

/** Rows are divided by their length, or by this where they are shorter, as torch.nn.functional.normalize does. */
const SHORTEST = 1e-12

/** What a row is by itself: its squared length, and the sum of its values without their signs. */
interface RowSums {
  squares: number
  absolute: number
}

/** What two rows are together: the sum of products, and what the sum of differences has more than those of the second row. */
interface PairSums {
  products: number
  differences: number
}

function rowSums({ values }: SparseRow): RowSums {
  let [squares, absolute] = [0, 0]
  for (const value of values) {
    squares += value * value
    absolute += Math.abs(value)
  }
  return { squares, absolute }
}

/** The places of both rows at once, in rising order: only where both have a value is there a product. */
function pairSums(a: SparseRow, b: SparseRow): PairSums {
  let [products, differences] = [0, 0]
  for (let i = 0, j = 0; i < a.indices.length && j < b.indices.length; ) {
    const [one, other] = [a.indices[i]!, b.indices[j]!]
    if (one === other) {
      const [x, y] = [a.values[i]!, b.values[j]!]
      products += x * y
      differences += Math.abs(x - y) - Math.abs(x) - Math.abs(y)
    }
    if (one <= other) i++
    if (other <= one) j++
  }
  return { products, differences }
}

function compare(metric: Metric, a: RowSums, b: RowSums, { products, differences }: PairSums): number {
  if (metric === 'dot') return products
  if (metric === 'manhattan') return -(a.absolute + b.absolute + differences)
  // Rounding may leave less than 0 of equal rows.
  if (metric === 'euclidean') return -Math.sqrt(Math.max(a.squares + b.squares - 2 * products, 0))
  const length = (row: RowSums) => Math.max(Math.sqrt(row.squares), SHORTEST)
  return products / (length(a) * length(b))
}

function rowsOf(all: SparseEmbeddings): { row: SparseRow; sums: RowSums }[] {
  return Array.from({ length: all.length }, (_, i) => ({ row: all.row(i), sums: rowSums(all.row(i)) }))
}

/**
 * Similarity of every row of `a` with every row of `b`: [rows of a, rows of b]. Distances are negated.
 * Source: sentence-transformers `util.cos_sim`, `dot_score`, `euclidean_sim`, `manhattan_sim` of sparse tensors.
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT when the dimensions differ
 */
export function sparseSimilarity(metric: Metric, a: SparseEmbeddings, b: SparseEmbeddings): Embeddings {
  checkDimensions(a, b)
  const [first, second] = [rowsOf(a), rowsOf(b)]
  const out = new Float32Array(first.length * second.length)
  first.forEach((one, i) => {
    second.forEach((other, j) => {
      out[i * second.length + j] = compare(metric, one.sums, other.sums, pairSums(one.row, other.row))
    })
  })
  return embeddings(out, first.length, second.length)
}

/**
 * Similarity of row i of `a` with row i of `b`, for every i: [rows].
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT when the dimensions or the numbers of rows differ
 */
export function pairwiseSparseSimilarity(metric: Metric, a: SparseEmbeddings, b: SparseEmbeddings): Float32Array {
  checkDimensions(a, b)
  if (a.length !== b.length) {
    const message = `Expected as many rows on both sides, but received ${a.length} and ${b.length}`
    throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
  }
  return Float32Array.from({ length: a.length }, (_, i) => {
    const [one, other] = [a.row(i), b.row(i)]
    return compare(metric, rowSums(one), rowSums(other), pairSums(one, other))
  })
}

/** The values of both rows multiplied, where the product is above 0. */
export function intersectRows(a: SparseRow, b: SparseRow): SparseRow {
  const indices: number[] = []
  const values: number[] = []
  for (let i = 0, j = 0; i < a.indices.length && j < b.indices.length; ) {
    const [one, other] = [a.indices[i]!, b.indices[j]!]
    const product = one === other ? Math.fround(a.values[i]! * b.values[j]!) : 0
    if (product > 0) {
      indices.push(one)
      values.push(product)
    }
    if (one <= other) i++
    if (other <= one) j++
  }
  return { indices: Int32Array.from(indices), values: Float32Array.from(values) }
}

/** @throws SentenceTorchError ERR_INVALID_ARGUMENT for anything but SparseEmbeddings of one dimension */
export function checkDimensions(a: SparseEmbeddings, b: SparseEmbeddings): void {
  for (const [name, value] of Object.entries({ embeddings1: a, embeddings2: b })) checkSparse(name, value)
  if (a.dimension === b.dimension) return
  const message = `Expected embeddings of one dimension, but received ${a.dimension} and ${b.dimension}`
  throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
}

export function checkSparse(name: string, value: unknown): asserts value is SparseEmbeddings {
  if (value instanceof SparseEmbeddings) return
  const message = `Expected SparseEmbeddings for ${name}; SparseEmbeddings.fromDense makes them of dense rows`
  throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
}

/**
 * What is not 0 of a dense row; with `most`, the values furthest from 0 alone (of equal ones the first).
 * Source: sentence-transformers `util.select_max_active_dims`.
 */
export function sparseRow(row: Float32Array, most: number | null): SparseRow {
  let count = 0
  for (let i = 0; i < row.length; i++) if (row[i] !== 0) count++
  const indices = new Int32Array(count)
  for (let i = 0, next = 0; i < row.length; i++) if (row[i] !== 0) indices[next++] = i
  const kept = most === null || count <= most ? indices : largest(row, indices, most)
  return { indices: kept, values: Float32Array.from(kept, (i) => row[i]!) }
}

function largest(row: Float32Array, indices: Int32Array, most: number): Int32Array {
  const size = (i: number) => Math.abs(row[i]!)
  return indices
    .sort((a, b) => size(b) - size(a) || a - b)
    .slice(0, most)
    .sort()
}
