import { FLOAT_BYTES, type FloatDType, type StoredTensor } from './weight-check.js'

/** Bytes that are read at once. */
export const RANGE_BYTES = 4 * 1024 * 1024

/** @param dtype a float type that the engine converts */
export function byteLength(shape: readonly number[], dtype: string): number {
  return shape.reduce((product, n) => product * n, FLOAT_BYTES[dtype as FloatDType])
}

/** Whether both are there and have different bytes. */
export async function areDifferent(a?: StoredTensor, b?: StoredTensor): Promise<boolean> {
  if (a === undefined || b === undefined) return false
  if (a.dtype !== b.dtype || String(a.shape) !== String(b.shape)) return true
  const total = byteLength(a.shape, a.dtype)
  for (let start = 0; start < total; start += RANGE_BYTES) {
    const end = Math.min(start + RANGE_BYTES, total)
    const [one, other] = await Promise.all([a.file.read(a.name, start, end), b.file.read(b.name, start, end)])
    if (Buffer.compare(one, other) !== 0) return true
  }
  return false
}
