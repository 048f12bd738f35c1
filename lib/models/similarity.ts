import { SentenceTorchError } from '../errors.js'
import type { Metric } from '../native/types.js'
import { asEmbeddings, type Embeddings, type EmbeddingsLike, embeddings } from './embeddings.js'

/** Rows are divided by their length, or by this where they are shorter: zero rows stay zero. */
const SHORTEST = 1e-12

/** Sum over `a[i …]` and `b[j …]`, `dim` values each. */
type Sum = (a: Float32Array, i: number, b: Float32Array, j: number, dim: number) => number

// The sums of the engine's search (native/ops/cpu/pair_sums.h) bit by bit, so that a score depends on its two rows alone,
// whoever computes it: in double precision, value d to sum d mod 8. A function each, since V8 does not inline what it is given.
const sums = new Float64Array(8)

function total(): number {
  return sums[0]! + sums[1]! + (sums[2]! + sums[3]!) + (sums[4]! + sums[5]! + (sums[6]! + sums[7]!))
}

function products(a: Float32Array, i: number, b: Float32Array, j: number, dim: number): number {
  for (let lane = 0; lane < 8; lane += 4) {
    let [s0, s1, s2, s3] = [0, 0, 0, 0]
    let d = lane
    for (; d + 4 <= dim; d += 8) {
      s0 += a[i + d]! * b[j + d]!
      s1 += a[i + d + 1]! * b[j + d + 1]!
      s2 += a[i + d + 2]! * b[j + d + 2]!
      s3 += a[i + d + 3]! * b[j + d + 3]!
    }
    if (d < dim) s0 += a[i + d]! * b[j + d]!
    if (d + 1 < dim) s1 += a[i + d + 1]! * b[j + d + 1]!
    if (d + 2 < dim) s2 += a[i + d + 2]! * b[j + d + 2]!
    sums[lane] = s0
    sums[lane + 1] = s1
    sums[lane + 2] = s2
    sums[lane + 3] = s3
  }
  return total()
}

function squaredDifferences(a: Float32Array, i: number, b: Float32Array, j: number, dim: number): number {
  for (let lane = 0; lane < 8; lane++) {
    let sum = 0
    for (let d = lane; d < dim; d += 8) {
      const difference = a[i + d]! - b[j + d]!
      sum += difference * difference
    }
    sums[lane] = sum
  }
  return total()
}

function differences(a: Float32Array, i: number, b: Float32Array, j: number, dim: number): number {
  for (let lane = 0; lane < 8; lane++) {
    let sum = 0
    for (let d = lane; d < dim; d += 8) sum += Math.abs(a[i + d]! - b[j + d]!)
    sums[lane] = sum
  }
  return total()
}

const SUMS: Record<Metric, Sum> = {
  cosine: products,
  dot: products,
  euclidean: squaredDifferences,
  manhattan: differences,
}

/** Lengths of the rows, at least {@link SHORTEST}. */
function lengths(data: Float32Array, dim: number): Float64Array {
  return Float64Array.from({ length: dim === 0 ? 0 : data.length / dim }, (_, i) =>
    Math.max(Math.sqrt(products(data, i * dim, data, i * dim, dim)), SHORTEST),
  )
}

/** Similarity of row `i` of `a` with row `j` of `b`. Distances are negated, so that a larger value always means more alike. */
function comparison(metric: Metric, a: Float32Array, b: Float32Array, dim: number): (i: number, j: number) => number {
  const sum = SUMS[metric]
  const [left, right] = metric === 'cosine' ? [lengths(a, dim), lengths(b, dim)] : []
  return (i, j) => {
    const value = sum(a, i * dim, b, j * dim, dim)
    if (metric === 'cosine') return value / (left![i]! * right![j]!)
    if (metric === 'dot') return value
    return metric === 'euclidean' ? -Math.sqrt(value) : -value
  }
}

/**
 * Similarity of every row of `a` with every row of `b`: [rows of a, rows of b]. A single vector is one row.
 * Source: sentence-transformers `util.cos_sim`, `dot_score`, `euclidean_sim`, `manhattan_sim`.
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT when the widths differ.
 */
export function similarityMatrix(metric: Metric, a: EmbeddingsLike, b: EmbeddingsLike): Embeddings {
  const { first, second, dim } = prepare(a, b)
  const rows = dim === 0 ? 0 : first.length / dim
  const columns = dim === 0 ? 0 : second.length / dim
  const compare = comparison(metric, first, second, dim)
  const out = new Float32Array(rows * columns)
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) out[i * columns + j] = compare(i, j)
  }
  return embeddings(out, rows, columns)
}

/**
 * Similarity of row i of `a` with row i of `b`, for every i: [rows].
 * Source: sentence-transformers `util.pairwise_cos_sim` and its kin.
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT when the shapes differ.
 */
export function pairwiseSimilarity(metric: Metric, a: EmbeddingsLike, b: EmbeddingsLike): Float32Array {
  const { first, second, dim } = prepare(a, b)
  checkRows(first, second, dim)
  const compare = comparison(metric, first, second, dim)
  return Float32Array.from({ length: dim === 0 ? 0 : first.length / dim }, (_, i) => compare(i, i))
}

function prepare(a: EmbeddingsLike, b: EmbeddingsLike) {
  const [left, right] = [asEmbeddings(a, 'embeddings1'), asEmbeddings(b, 'embeddings2')]
  const empty = left.shape[0] === 0 || right.shape[0] === 0
  const dim = Math.max(left.shape[1], right.shape[1])
  if (!empty && left.shape[1] !== right.shape[1]) {
    const found = `${left.shape[1]} and ${right.shape[1]}`
    throw new SentenceTorchError('ERR_INVALID_ARGUMENT', `Expected embeddings of equal width, but received ${found}`)
  }
  return { first: left.data, second: right.data, dim }
}

/**
 * Angle similarity of row i of `a` with row i of `b`, for every i: [rows]. The halves of a row are the real and imaginary parts
 * of complex numbers (a row of odd width gets a 0 behind it); the parts of the quotient of the rows, brought to length 1, are
 * summed, without the sign. A zero row gives 0.
 * Paper: https://arxiv.org/abs/2309.12871. Source: sentence-transformers `util.pairwise_angle_sim`.
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT when the shapes differ.
 */
export function pairwiseAngleSimilarity(a: EmbeddingsLike, b: EmbeddingsLike): Float32Array {
  const { first, second, dim } = prepare(a, b)
  checkRows(first, second, dim)
  const half = Math.ceil(dim / 2)
  return Float32Array.from({ length: dim === 0 ? 0 : first.length / dim }, (_, row) => {
    const start = row * dim
    let [parts, x2, y2] = [0, 0, 0]
    for (let d = 0; d < half; d++) {
      const [re1, re2] = [first[start + d]!, second[start + d]!]
      const [im1, im2] = half + d < dim ? [first[start + half + d]!, second[start + half + d]!] : [0, 0]
      parts += re1 * re2 + im1 * im2 + (im1 * re2 - re1 * im2)
      x2 += re1 * re1 + im1 * im1
      y2 += re2 * re2 + im2 * im2
    }
    return Math.abs(parts) / (Math.max(Math.sqrt(x2), SHORTEST) * Math.max(Math.sqrt(y2), SHORTEST))
  })
}

function checkRows(first: Float32Array, second: Float32Array, dim: number): void {
  if (first.length === second.length) return
  const found = `${first.length / dim} and ${second.length / dim}`
  throw new SentenceTorchError('ERR_INVALID_ARGUMENT', `Expected as many rows on both sides, but received ${found}`)
}
