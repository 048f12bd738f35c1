import { TimeSlice } from '../data/time-slice.js'
import { embeddings } from '../models/embeddings.js'
import { type Precision, quantizeEmbeddings } from '../search/quantize.js'
import type { DenseRows, Rows } from './pair-similarities.js'

export const PRECISIONS = ['float32', 'int8', 'uint8', 'binary', 'ubinary'] as const

/** Values between two checks of the clock. */
const STRIDE = 2 ** 16

/**
 * The rows of both sides in a precision: bytes, or single bits for `binary` and `ubinary`, which are compared as 0 and 1.
 * Both sides share the ranges of bytes, so that a text has the same bytes on either side.
 */
export async function quantizedRows(sides: readonly [Rows, Rows], precision: Precision): Promise<[Rows, Rows]> {
  if (precision === 'float32') return [...sides]
  const isBits = precision === 'binary' || precision === 'ubinary'
  const dense = sides as readonly [DenseRows, DenseRows]
  const matrices = dense.map(({ data, shape }) => embeddings(data, ...shape))
  const found = await quantizeEmbeddings(matrices, isBits ? 'ubinary' : precision)
  const slice = new TimeSlice()
  const numbers = async (side: 0 | 1): Promise<DenseRows> => {
    const [rows, width] = dense[side].shape
    const { data, shape } = found[side]!
    const values = new Float32Array(rows * width)
    for (let i = 0; i < values.length; i++) {
      if (isBits) {
        const column = i % width
        const byte = data[Math.floor(i / width) * shape[1] + (column >> 3)]!
        values[i] = (byte >> (7 - (column & 7))) & 1
      } else values[i] = data[i]!
      if (i % STRIDE === 0) await slice.yield()
    }
    return { data: values, shape: [rows, width] }
  }
  return [await numbers(0), await numbers(1)]
}
