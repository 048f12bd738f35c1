import { fromNative } from '../errors.js'
import type { NativeEncoder } from '../native/types.js'

/** Bytes that cross from the engine at once. */
const RANGE_BYTES = 64 * 1024 * 1024

/** A tensor of the engine in float32, or counts, with what an adapter adds to it, piece by piece. */
export async function* dumpTensor(
  encoder: Pick<NativeEncoder, 'dump'>,
  name: string,
  elements: number,
  dtype: 'F32' | 'I64' = 'F32',
): AsyncGenerator<Uint8Array> {
  const bytes = dtype === 'F32' ? 4 : 8
  const step = RANGE_BYTES / bytes
  for (let start = 0; start < elements; start += step) {
    const data = new Uint8Array(Math.min(step, elements - start) * bytes)
    try {
      await encoder.dump([{ name, start, dtype, data }], true)
    } catch (error) {
      throw fromNative(error, 'Encoder.dump')
    }
    yield data
  }
}
