import { Turns } from '../data/turns.js'
import { embeddings } from '../models/embeddings.js'
import { type Precision, quantizeEmbeddings } from '../search/quantize.js'
import type { Rows } from './pair-similarities.js'

export const PRECISIONS = ['float32', 'int8', 'uint8', 'binary', 'ubinary'] as const

/** Values between two looks at the clock. */
const STRIDE = 2 ** 16

/** The rows as numbers of a precision: bytes, or the single bits of `binary` and `ubinary`, which are compared as 0 and 1. */
export async function quantizedRows({ data, shape: [rows, width] }: Rows, precision: Precision): Promise<Rows> {
  if (precision === 'float32') return { data, shape: [rows, width] }
  const isBits = precision === 'binary' || precision === 'ubinary'
  const found = await quantizeEmbeddings(embeddings(data, rows, width), isBits ? 'ubinary' : precision)
  const values = new Float32Array(rows * width)
  const turns = new Turns()
  for (let i = 0; i < values.length; i++) {
    if (isBits) {
      const column = i % width
      const byte = found.data[Math.floor(i / width) * found.shape[1] + (column >> 3)]!
      values[i] = (byte >> (7 - (column & 7))) & 1
    } else values[i] = found.data[i]!
    if (i % STRIDE === 0) await turns.give()
  }
  return { data: values, shape: [rows, width] }
}
