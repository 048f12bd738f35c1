import { fromNative } from '../errors.js'
import type { NativeEncoder } from '../native/types.js'

/** Bytes that cross from the engine at once. */
const RANGE_BYTES = 64 * 1024 * 1024

/** A tensor of the engine in float32, with what an adapter adds to it, piece by piece. */
export async function* dumpTensor(
  encoder: Pick<NativeEncoder, 'dump'>,
  name: string,
  elements: number,
): AsyncGenerator<Uint8Array> {
  const step = RANGE_BYTES / 4
  for (let start = 0; start < elements; start += step) {
    const data = new Uint8Array(Math.min(step, elements - start) * 4)
    try {
      await encoder.dump([{ name, start, dtype: 'F32', data }], true)
    } catch (error) {
      throw fromNative(error, 'Encoder.dump')
    }
    yield data
  }
}
