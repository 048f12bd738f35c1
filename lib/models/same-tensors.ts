import { FLOAT_BYTES, type FloatDType, type StoredTensor } from './weight-check.js'

/** Bytes that are read at once. */
const RANGE_BYTES = 4 * 1024 * 1024

/** Whether both are there and have different bytes. */
export async function areDifferent(a: StoredTensor | undefined, b: StoredTensor | undefined): Promise<boolean> {
  if (a === undefined || b === undefined) return false
  if (a.dtype !== b.dtype || String(a.shape) !== String(b.shape)) return true
  const total = a.shape.reduce((product, n) => product * n, FLOAT_BYTES[a.dtype as FloatDType])
  for (let start = 0; start < total; start += RANGE_BYTES) {
    const end = Math.min(start + RANGE_BYTES, total)
    const [one, other] = await Promise.all([a.file.read(a.name, start, end), b.file.read(b.name, start, end)])
    if (Buffer.compare(one, other) !== 0) return true
  }
  return false
}
