import type { Pieces } from '../../data/time-slice.js'
import { symmetricEigen } from './eigen.js'

/** Rows between two looks at the clock. */
const ROWS = 8

/**
 * Rows along the directions of their largest variance, less their mean. The entry of a column that is furthest from 0 is positive, so
 * that no sign is arbitrary. Computed in float64.
 * Source: model2vec `_pca_fit_transform`; scikit-learn `PCA`.
 * @param data [rows, width]
 * @param dims columns of the result, at most `width`; below 1 the least that have this share of the variance
 * @returns [rows, columns], and the share of the variance that they have
 */
export function* principalComponents(
  data: Float32Array,
  width: number,
  dims: number,
): Pieces<never, { scores: Float64Array; columns: number; explained: number }> {
  const rows = data.length / width
  const { centred, covariance } = yield* covarianceOf(data, width)
  const { values, vectors } = yield* symmetricEigen(covariance, width)
  const falling = values.map((value) => Math.max(value, 0)).reverse()
  const total = falling.reduce((sum, value) => sum + value, 0)
  const columns = dims < 1 ? columnsOfShare(falling, total, dims) : dims
  const scores = new Float64Array(rows * columns)
  for (let row = 0; row < rows; row++) {
    const out = scores.subarray(row * columns, (row + 1) * columns)
    for (let i = 0; i < width; i++) {
      const value = centred[row * width + i]!
      for (let k = 0, at = (i + 1) * width - 1; k < columns; k++) out[k]! += value * vectors[at - k]!
    }
    if (row % ROWS === 0) yield
  }
  fixSigns(scores, columns)
  return { scores, columns, explained: falling.subarray(0, columns).reduce((sum, value) => sum + value, 0) / total }
}

/** Rows less their mean, and their covariance [width, width]. */
export function* covarianceOf(
  data: Float32Array,
  width: number,
): Pieces<never, { centred: Float64Array; covariance: Float64Array }> {
  const rows = data.length / width
  const centred = Float64Array.from(data)
  const means = new Float64Array(width)
  for (let i = 0; i < data.length; i++) means[i % width]! += data[i]!
  for (let i = 0; i < data.length; i++) centred[i]! -= means[i % width]! / rows
  const covariance = new Float64Array(width * width)
  for (let row = 0; row < rows; row++) {
    const own = centred.subarray(row * width, (row + 1) * width)
    for (let a = 0; a < width; a++) {
      const value = own[a]! / (rows - 1)
      for (let b = a, at = a * width; b < width; b++) covariance[at + b]! += value * own[b]!
    }
    if (row % ROWS === 0) yield
  }
  for (let a = 0; a < width; a++) {
    for (let b = 0; b < a; b++) covariance[a * width + b] = covariance[b * width + a]!
  }
  return { centred, covariance }
}

function columnsOfShare(falling: Float64Array, total: number, share: number): number {
  let sum = 0
  const before = falling.findIndex((value) => {
    sum += value
    return sum / total >= share
  })
  return before === -1 ? falling.length : before + 1
}

function fixSigns(scores: Float64Array, columns: number): void {
  const furthest = new Float64Array(columns)
  for (let i = 0; i < scores.length; i++) {
    if (Math.abs(scores[i]!) > Math.abs(furthest[i % columns]!)) furthest[i % columns] = scores[i]!
  }
  for (let i = 0; i < scores.length; i++) if (furthest[i % columns]! < 0) scores[i] = -scores[i]!
}
