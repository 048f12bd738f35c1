/** Principal component analysis in two dimensions. */
import { invalidArgument } from '../errors.js'
import { asEmbeddings, type EmbeddingsLike } from '../models/embeddings.js'

/** Iterations end when the axes move less than this, or after so many. */
const TOLERANCE = 1e-7
const MOST_ITERATIONS = 400

export interface Projection {
  x: Float64Array
  y: Float64Array
  /** The shares of the variance along both axes. */
  explained: [number, number]
}

/**
 * Rows along their two directions of largest variance, by orthogonal iteration. The largest entry of
 * each direction is positive, so that the result has no arbitrary sign. Source: Golub and Van Loan, Matrix Computations, 8.2.4;
 * scikit-learn's `PCA(2)`.
 *
 * @throws ERR_INVALID_ARGUMENT for fewer than two rows or dimensions
 */
export function principalAxes(rows: EmbeddingsLike): Projection {
  const { data, shape } = asEmbeddings(rows, 'rows')
  const [count, width] = shape
  if (count < 2 || width < 2) throw invalidArgument('rows', 'at least two rows of at least two dimensions', rows)
  const centred = centre(data, count, width)
  const products = covariance(centred, count, width)
  let axes = start(width)
  for (let i = 0; i < MOST_ITERATIONS; i++) {
    const next = orthonormal(
      turned(
        axes,
        axes.map((axis) => times(products, axis)),
      ),
    )
    const moved = Math.max(...next.map((axis, k) => distance(axis, axes[k]!)))
    axes = next
    if (moved < TOLERANCE) break
  }
  const [x, y] = axes.map((axis) => project(centred, count, width, signed(axis))) as [Float64Array, Float64Array]
  const total = dot(centred, centred)
  const share = (values: Float64Array) => (total > 0 ? dot(values, values) / total : 0)
  return share(x) >= share(y)
    ? { x, y, explained: [share(x), share(y)] }
    : { x: y, y: x, explained: [share(y), share(x)] }
}

function centre(data: Float32Array, count: number, width: number): Float64Array {
  const means = new Float64Array(width)
  for (let i = 0; i < data.length; i++) means[i % width]! += data[i]! / count
  return Float64Array.from(data, (value, i) => value - means[i % width]!)
}

/** Two directions that no embedding prefers, the same every time. */
function start(width: number): Float64Array[] {
  const axes = [0, 1].map((k) => Float64Array.from({ length: width }, (_, i) => Math.sin((i + 1) * (k + 1.37)) + 0.1))
  return orthonormal(axes)
}

/** XᵀX, [width, width]. */
function covariance(rows: Float64Array, count: number, width: number): Float64Array {
  const out = new Float64Array(width * width)
  for (let i = 0; i < count; i++) {
    const row = rows.subarray(i * width, (i + 1) * width)
    for (let a = 0; a < width; a++) {
      const value = row[a]!
      for (let b = 0, at = a * width; b < width; b++) out[at + b]! += value * row[b]!
    }
  }
  return out
}

function times(matrix: Float64Array, vector: Float64Array): Float64Array {
  const width = vector.length
  const out = new Float64Array(width)
  for (let i = 0; i < width; i++) {
    let sum = 0
    for (let d = 0, at = i * width; d < width; d++) sum += matrix[at + d]! * vector[d]!
    out[i] = sum
  }
  return out
}

function distance(a: Float64Array, b: Float64Array): number {
  return Math.sqrt(a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0))
}

function project(rows: Float64Array, count: number, width: number, axis: Float64Array): Float64Array {
  return Float64Array.from({ length: count }, (_, i) => dot(rows.subarray(i * width, (i + 1) * width), axis))
}

/**
 * Images of the axes, turned in their plane so that they belong to its directions of most and least variance (Rayleigh-Ritz): axes of
 * nearly equal variance part at once.
 */
function turned([a, b]: Float64Array[], [imageA, imageB]: Float64Array[]): Float64Array[] {
  const angle = Math.atan2(2 * dot(a!, imageB!), dot(a!, imageA!) - dot(b!, imageB!)) / 2
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)]
  return [
    imageA!.map((value, i) => cos * value + sin * imageB![i]!),
    imageB!.map((value, i) => cos * value - sin * imageA![i]!),
  ]
}

/** Gram-Schmidt; a direction without length (all rows are the same, or lie on a line) stays 0. */
function orthonormal([first, second]: Float64Array[]): Float64Array[] {
  const a = unit(first!)
  const along = dot(second!, a)
  return [a, unit(second!.map((value, i) => value - along * a[i]!))]
}

function unit(vector: Float64Array): Float64Array {
  const length = Math.sqrt(dot(vector, vector))
  return length > 1e-150 ? vector.map((value) => value / length) : new Float64Array(vector.length)
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

function signed(axis: Float64Array): Float64Array {
  const largest = axis.reduce((best, value) => (Math.abs(value) > Math.abs(best) ? value : best), 0)
  return largest < 0 ? axis.map((value) => -value) : axis
}
