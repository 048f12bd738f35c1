import { SentenceTorchError } from '../errors.js'
import type { Metric } from '../native/types.js'
import { asEmbeddings, type Embeddings, type EmbeddingsLike, embeddings, normalizeRows } from './embeddings.js'

/** Rows are divided by their length, or by this where they are shorter: zero rows stay zero. */
const SHORTEST = 1e-12

/** Similarity of `a[i …]` and `b[j …]`, `dim` values each, in double precision. */
type Compare = (a: Float32Array, i: number, b: Float32Array, j: number, dim: number) => number

/** Distances are negated, so that a larger value always means more alike. */
const COMPARE: Record<Metric, Compare> = {
  cosine: dot, // of normalised rows
  dot,
  euclidean: (a, i, b, j, dim) => {
    let sum = 0
    for (let d = 0; d < dim; d++) sum += (a[i + d]! - b[j + d]!) ** 2
    return -Math.sqrt(sum)
  },
  manhattan: (a, i, b, j, dim) => {
    let sum = 0
    for (let d = 0; d < dim; d++) sum += Math.abs(a[i + d]! - b[j + d]!)
    return -sum
  },
}

function dot(a: Float32Array, i: number, b: Float32Array, j: number, dim: number): number {
  let sum = 0
  for (let d = 0; d < dim; d++) sum += a[i + d]! * b[j + d]!
  return sum
}

/**
 * Similarity of every row of `a` with every row of `b`: [rows of a, rows of b]. A single vector is one row.
 * Source: sentence-transformers `util.cos_sim`, `dot_score`, `euclidean_sim`, `manhattan_sim`.
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT when the widths differ.
 */
export function similarityMatrix(metric: Metric, a: EmbeddingsLike, b: EmbeddingsLike): Embeddings {
  const { first, second, dim } = prepare(metric, a, b)
  const rows = dim === 0 ? 0 : first.length / dim
  const columns = dim === 0 ? 0 : second.length / dim
  const compare = COMPARE[metric]
  const out = new Float32Array(rows * columns)
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) out[i * columns + j] = compare(first, i * dim, second, j * dim, dim)
  }
  return embeddings(out, rows, columns)
}

/**
 * Similarity of row i of `a` with row i of `b`, for every i: [rows].
 * Source: sentence-transformers `util.pairwise_cos_sim` and its kin.
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT when the shapes differ.
 */
export function pairwiseSimilarity(metric: Metric, a: EmbeddingsLike, b: EmbeddingsLike): Float32Array {
  const { first, second, dim } = prepare(metric, a, b)
  checkRows(first, second, dim)
  const compare = COMPARE[metric]
  return Float32Array.from({ length: dim === 0 ? 0 : first.length / dim }, (_, i) =>
    compare(first, i * dim, second, i * dim, dim),
  )
}

function prepare(metric: Metric, a: EmbeddingsLike, b: EmbeddingsLike) {
  const [left, right] = [asEmbeddings(a, 'embeddings1'), asEmbeddings(b, 'embeddings2')]
  const empty = left.shape[0] === 0 || right.shape[0] === 0
  const dim = Math.max(left.shape[1], right.shape[1])
  if (!empty && left.shape[1] !== right.shape[1]) {
    const found = `${left.shape[1]} and ${right.shape[1]}`
    throw new SentenceTorchError('ERR_INVALID_ARGUMENT', `Expected embeddings of equal width, but received ${found}`)
  }
  const unit = (data: Float32Array) => (metric === 'cosine' ? normalizeRows(data, dim) : data)
  return { first: unit(left.data), second: unit(right.data), dim }
}

/**
 * Angle similarity of row i of `a` with row i of `b`, for every i: [rows]. The halves of a row are the real and imaginary parts
 * of complex numbers (a row of odd width gets a 0 behind it); the parts of the quotient of the rows, brought to length 1, are
 * summed, without the sign. A zero row gives 0.
 * Paper: https://arxiv.org/abs/2309.12871. Source: sentence-transformers `util.pairwise_angle_sim`.
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT when the shapes differ.
 */
export function pairwiseAngleSimilarity(a: EmbeddingsLike, b: EmbeddingsLike): Float32Array {
  const { first, second, dim } = prepare('dot', a, b)
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
