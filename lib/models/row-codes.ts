/** Rows of numbers in few bits, as `quantize_embeddings` of sentence-transformers has them. The arithmetic is in float32. */
import type { TimeSlice } from '../data/time-slice.js'
import { type Embeddings, embeddings } from './embeddings.js'

/** Values between two checks of the clock: about a tenth of a millisecond. */
const STRIDE = 2 ** 15

/** Least and greatest value of each number of a row. */
export interface Extremes {
  low: Float32Array
  high: Float32Array
}

/** Of rows of `dim` numbers; of no row from infinity to minus infinity. */
export function noExtremes(dim: number): Extremes {
  return { low: new Float32Array(dim).fill(Infinity), high: new Float32Array(dim).fill(-Infinity) }
}

/** Takes more rows into the extremes. */
export async function addExtremes({ low, high }: Extremes, data: Float32Array, slice: TimeSlice): Promise<void> {
  const dim = low.length
  for (let start = 0; start < data.length; start += dim) {
    for (let d = 0; d < dim; d++) {
      const value = data[start + d]!
      if (value < low[d]!) low[d] = value
      if (value > high[d]!) high[d] = value
    }
    if ((start / dim) % Math.ceil(STRIDE / dim) === 0) await slice.yield()
  }
}

/** The extremes of all rows, [2, dim]; zeros where there is no row. */
export async function rangesOf(data: Float32Array, dim: number, slice: TimeSlice): Promise<Embeddings> {
  const ranges = embeddings(new Float32Array(2 * dim), 2, dim)
  if (data.length === 0) return ranges
  const extremes = noExtremes(dim)
  await addExtremes(extremes, data, slice)
  ranges.data.set(extremes.low)
  ranges.data.set(extremes.high, dim)
  return ranges
}

/** What one step of a byte is worth; 0 for a number that is the same everywhere. */
export function stepsOf({ low, high }: Extremes): Float32Array {
  return low.map((value, d) => Math.fround(Math.fround(high[d]! - value) / 255))
}

/** floor((x − low) / step), from 0 to 255, less `shift`; beyond the extremes the ends. */
export async function toBytes<T extends Int8Array | Uint8Array>(
  data: Float32Array,
  out: T,
  extremes: Extremes,
  shift: 0 | 128,
  slice: TimeSlice,
): Promise<T> {
  const { low } = extremes
  const dim = low.length
  const steps = stepsOf(extremes).map((step) => step || 1)
  for (let start = 0; start < data.length; start += dim) {
    for (let d = 0; d < dim; d++) {
      const place = Math.floor(Math.fround(Math.fround(data[start + d]! - low[d]!) / steps[d]!))
      out[start + d] = Math.min(Math.max(place, 0), 255) - shift
    }
    if ((start / dim) % Math.ceil(STRIDE / dim) === 0) await slice.yield()
  }
  return out
}

/** A bit for each number, 1 above 0, the first in the highest bit; each byte less `shift`. `out` has whole bytes for every row. */
export async function toBits<T extends Int8Array | Uint8Array>(
  data: Float32Array,
  out: T,
  dim: number,
  shift: 0 | 128,
  slice: TimeSlice,
): Promise<T> {
  const width = Math.ceil(dim / 8)
  for (let row = 0; row < out.length / width; row++) {
    for (let byte = 0; byte < width; byte++) {
      let bits = 0
      for (let d = 8 * byte; d < 8 * byte + 8; d++) bits = 2 * bits + (d < dim && data[row * dim + d]! > 0 ? 1 : 0)
      out[row * width + byte] = bits - shift
    }
    if (row % Math.ceil(STRIDE / dim) === 0) await slice.yield()
  }
  return out
}
