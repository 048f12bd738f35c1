import type { TimeSlice } from '../../data/time-slice.js'
import { type Floats, inStrides } from './method.js'

/**
 * Keeps the share `density` of a vector's numbers, those of the largest size, and makes the others 0: as many as fit into the
 * share, at least one unless it is 0. Of equal sizes the first are kept.
 * @param rescale whether the kept numbers are multiplied so that the sum of sizes stays
 */
export async function trim(values: Floats, density: number, rescale: boolean, slice: TimeSlice): Promise<void> {
  if (density >= 1) return
  const kept = density === 0 ? 0 : Math.max(1, Math.trunc(density * values.length))
  const { size: least, equal } =
    kept === 0 ? { size: Number.POSITIVE_INFINITY, equal: 0 } : await smallestKept(values, kept, slice)
  let [before, after, room] = [0, 0, equal]
  await inStrides(values.length, slice, (start, end) => {
    for (let i = start; i < end; i++) {
      const size = Math.abs(values[i]!)
      before += size
      if (size > least || (size === least && room-- > 0)) after += size
      else values[i] = 0
    }
  })
  if (!rescale || after === 0) return
  const factor = before / after
  await inStrides(values.length, slice, (start, end) => {
    for (let i = start; i < end; i++) values[i]! *= factor
  })
}

/**
 * The size of number `kept` by falling size, and how many of that size are among the kept ones. Sizes are first counted by their
 * highest 16 bits, which are in the order of the numbers, so that few are sorted.
 */
async function smallestKept(values: Floats, kept: number, slice: TimeSlice): Promise<{ size: number; equal: number }> {
  const wide = values.BYTES_PER_ELEMENT / 2
  const halves = new Uint16Array(values.buffer, values.byteOffset, values.length * wide)
  // Little-endian: the highest bits are the last.
  const bucketOf = (i: number) => halves[i * wide + wide - 1]! & 0x7fff
  const counts = new Uint32Array(2 ** 15)
  await inStrides(values.length, slice, (start, end) => {
    for (let i = start; i < end; i++) counts[bucketOf(i)]!++
  })
  let bucket = counts.length - 1
  let above = 0
  for (; above + counts[bucket]! < kept; bucket--) above += counts[bucket]!
  const sizes = new (values.constructor as Float32ArrayConstructor)(counts[bucket]!)
  let found = 0
  await inStrides(values.length, slice, (start, end) => {
    for (let i = start; i < end; i++) if (bucketOf(i) === bucket) sizes[found++] = Math.abs(values[i]!)
  })
  sizes.sort()
  const size = sizes[sizes.length - (kept - above)]!
  const larger = above + sizes.length - (sizes.lastIndexOf(size) + 1)
  return { size, equal: kept - larger }
}
