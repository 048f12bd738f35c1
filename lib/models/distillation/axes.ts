/** The directions of principal components, as the weight of a Dense layer that makes embeddings narrower. */
import { runInSlices, TimeSlice } from '../../data/time-slice.js'
import { invalidArgument } from '../../errors.js'
import { type Embeddings, embeddings } from '../embeddings.js'
import { symmetricEigen } from './eigen.js'
import { covarianceOf } from './principal-components.js'

type Rows = Pick<Embeddings, 'data' | 'shape'>

/**
 * The directions of largest variance: [count, width], each of length 1, by falling variance; the largest entry of each is positive.
 * Computed in float64. Source: scikit-learn's `PCA(count).components_`.
 * @throws ERR_INVALID_ARGUMENT unless 1 ≤ count ≤ min(rows, width), with at least two rows
 */
export async function principalAxes({ data, shape: [rows, width] }: Rows, count: number): Promise<Embeddings> {
  const most = Math.min(rows, width)
  if (rows < 2 || !Number.isInteger(count) || count < 1 || count > most) {
    throw invalidArgument('count', `an integer from 1 to ${most}, and two rows or more`, count)
  }
  const { covariance } = await runInSlices(covarianceOf(data, width))
  const { vectors } = await runInSlices(symmetricEigen(covariance, width))
  const out = new Float32Array(count * width)
  for (let k = 0; k < count; k++) {
    const axis = Float64Array.from({ length: width }, (_, i) => vectors[(i + 1) * width - 1 - k]!)
    const largest = axis.reduce((best, value) => (Math.abs(value) > Math.abs(best) ? value : best), 0)
    out.set(largest < 0 ? axis.map((value) => -value) : axis, k * width)
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
