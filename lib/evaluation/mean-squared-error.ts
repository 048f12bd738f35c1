import { TimeSlice } from '../data/time-slice.js'
import { invalidData } from './common.js'
import type { Rows } from './pair-similarities.js'

/** Values compared at once: about a millisecond. */
const CHUNK = 1 << 18

/** The mean of (a − b)² over all values. Differences are in float32, as in Python, and the sum is in double precision. */
export async function meanSquaredError(a: Rows, b: Rows): Promise<number> {
  if (String(a.shape) !== String(b.shape)) {
    throw invalidData(`Expected embeddings of the teacher's shape [${a.shape}] but the model gave [${b.shape}]`)
  }
  const slice = new TimeSlice()
  let sum = 0
  for (let start = 0; start < a.data.length; start += CHUNK) {
    const end = Math.min(start + CHUNK, a.data.length)
    for (let i = start; i < end; i++) {
      const difference = Math.fround(a.data[i]! - b.data[i]!)
      sum += difference * difference
    }
    await slice.yield()
  }
  return sum / a.data.length
}
