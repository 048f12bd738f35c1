/** Principal component analysis of any width. */
import { TimeSlice } from '../data/time-slice.js'
import { invalidArgument } from '../errors.js'
import { asEmbeddings, type Embeddings, type EmbeddingsLike, embeddings } from './embeddings.js'

type Rows = Pick<Embeddings, 'data' | 'shape'>

/** QL steps for one eigenvalue; a handful is usual. */
const MOST_STEPS = 60

/**
 * The directions of largest variance, in float64: [count, width], each of length 1, by falling variance; the largest entry of each
 * is positive. Source: scikit-learn's `PCA(count).components_`.
 * @throws ERR_INVALID_ARGUMENT unless 1 ≤ count ≤ min(rows, width)
 */
export async function principalComponents(rows: EmbeddingsLike, count: number): Promise<Embeddings> {
  const { data, shape } = asEmbeddings(rows, 'rows')
  const [length, width] = shape
  if (!Number.isInteger(count) || count < 1 || count > Math.min(length, width)) {
    throw invalidArgument('count', `an integer from 1 to ${Math.min(length, width)}`, count)
  }
  const slice = new TimeSlice()
  const vectors = await covariance(data, length, width, slice)
  const values = new Float64Array(width)
  const beside = new Float64Array(width)
  await tridiagonal(vectors, values, beside, slice)
  await diagonal(vectors, values, beside, slice)
  const order = Array.from(values.keys()).sort((a, b) => values[b]! - values[a]!)
  const out = new Float32Array(count * width)
  for (let k = 0; k < count; k++) {
    const column = Float64Array.from({ length: width }, (_, i) => vectors[i * width + order[k]!]!)
    const largest = column.reduce((best, value) => (Math.abs(value) > Math.abs(best) ? value : best), 0)
    out.set(largest < 0 ? column.map((value) => -value) : column, k * width)
  }
  return embeddings(out, count, width)
}

/** Rows turned into the directions: [rows, count], without centring, as a Dense layer without bias does. */
export async function project({ data, shape }: Rows, { data: axes, shape: [count] }: Rows): Promise<Embeddings> {
  const [length, width] = shape
  const out = new Float32Array(length * count)
  const slice = new TimeSlice()
  for (let i = 0; i < length; i++) {
    for (let k = 0; k < count; k++) {
      let sum = 0
      for (let d = 0, a = i * width, b = k * width; d < width; d++) sum += data[a + d]! * axes[b + d]!
      out[i * count + k] = sum
    }
    if (i % 16 === 0) await slice.yield()
  }
  return embeddings(out, length, count)
}

/** (X − mean)ᵀ(X − mean), [width, width]. */
async function covariance(data: Float32Array, rows: number, width: number, slice: TimeSlice): Promise<Float64Array> {
  const mean = new Float64Array(width)
  for (let i = 0; i < rows * width; i++) mean[i % width]! += data[i]! / rows
  const out = new Float64Array(width * width)
  const row = new Float64Array(width)
  for (let i = 0; i < rows; i++) {
    for (let d = 0; d < width; d++) row[d] = data[i * width + d]! - mean[d]!
    for (let a = 0; a < width; a++) {
      const value = row[a]!
      for (let b = 0, at = a * width; b <= a; b++) out[at + b]! += value * row[b]!
    }
    if (i % 16 === 0) await slice.yield()
  }
  for (let a = 0; a < width; a++) for (let b = 0; b < a; b++) out[b * width + a] = out[a * width + b]!
  return out
}

/**
 * Householder's reduction of the symmetric `a`, which becomes the turn, to `d` on the diagonal and `e` beside it. Source: EISPACK's
 * tred2 (Wilkinson and Reinsch, Handbook for Automatic Computation II, 1971).
 */
async function tridiagonal(a: Float64Array, d: Float64Array, e: Float64Array, slice: TimeSlice): Promise<void> {
  const n = d.length
  for (let i = n - 1; i > 0; i--) {
    const own = i * n
    let h = 0
    let scale = 0
    for (let k = 0; k < i; k++) scale += Math.abs(a[own + k]!)
    if (i === 1 || scale === 0) e[i] = a[own + i - 1]!
    else {
      for (let k = 0; k < i; k++) {
        a[own + k]! /= scale
        h += a[own + k]! ** 2
      }
      const f = a[own + i - 1]!
      const g = f >= 0 ? -Math.sqrt(h) : Math.sqrt(h)
      e[i] = scale * g
      h -= f * g
      a[own + i - 1] = f - g
      let sum = 0
      for (let j = 0; j < i; j++) {
        a[j * n + i] = a[own + j]! / h
        let product = 0
        for (let k = 0; k <= j; k++) product += a[j * n + k]! * a[own + k]!
        for (let k = j + 1; k < i; k++) product += a[k * n + j]! * a[own + k]!
        e[j] = product / h
        sum += e[j]! * a[own + j]!
      }
      const half = sum / (h + h)
      for (let j = 0; j < i; j++) {
        const value = a[own + j]!
        const next = e[j]! - half * value
        e[j] = next
        for (let k = 0; k <= j; k++) a[j * n + k]! -= value * e[k]! + next * a[own + k]!
      }
    }
    d[i] = h
    await slice.yield()
  }
  e[0] = 0
  d[0] = 0
  for (let i = 0; i < n; i++) {
    const own = i * n
    if (d[i] !== 0) {
      const products = new Float64Array(i)
      for (let k = 0; k < i; k++) for (let j = 0; j < i; j++) products[j]! += a[own + k]! * a[k * n + j]!
      for (let k = 0; k < i; k++) for (let j = 0; j < i; j++) a[k * n + j]! -= products[j]! * a[k * n + i]!
    }
    d[i] = a[own + i]!
    a[own + i] = 1
    for (let j = 0; j < i; j++) a[j * n + i] = a[own + j] = 0
    await slice.yield()
  }
}

/** QL with implicit shifts: `d` becomes the eigenvalues, the columns of `z` the eigenvectors. Source: EISPACK's tql2. */
async function diagonal(z: Float64Array, d: Float64Array, e: Float64Array, slice: TimeSlice): Promise<void> {
  const n = d.length
  e.copyWithin(0, 1)
  e[n - 1] = 0
  for (let l = 0; l < n; l++) {
    for (let step = 0; ; step++) {
      let m = l
      while (m < n - 1 && Math.abs(e[m]!) > Number.EPSILON * (Math.abs(d[m]!) + Math.abs(d[m + 1]!))) m++
      if (m === l || step === MOST_STEPS) break
      rotate(z, d, e, l, m)
      await slice.yield()
    }
  }
}

function rotate(z: Float64Array, d: Float64Array, e: Float64Array, l: number, m: number): void {
  const n = d.length
  let g = (d[l + 1]! - d[l]!) / (2 * e[l]!)
  let r = Math.hypot(g, 1)
  g = d[m]! - d[l]! + e[l]! / (g + (g >= 0 ? r : -r))
  let [s, c, p] = [1, 1, 0]
  for (let i = m - 1; i >= l; i--) {
    let f = s * e[i]!
    const b = c * e[i]!
    r = Math.hypot(f, g)
    e[i + 1] = r
    if (r === 0) {
      d[i + 1]! -= p
      e[m] = 0
      return
    }
    s = f / r
    c = g / r
    g = d[i + 1]! - p
    r = (d[i]! - g) * s + 2 * c * b
    p = s * r
    d[i + 1] = g + p
    g = c * r - b
    for (let k = 0, at = i; k < n; k++, at += n) {
      f = z[at + 1]!
      z[at + 1] = s * z[at]! + c * f
      z[at] = c * z[at]! - s * f
    }
  }
  d[l]! -= p
  e[l] = g
  e[m] = 0
}
