import { TimeSlice } from '../../data/time-slice.js'
import type { Embeddings } from '../../models/embeddings.js'
import { quantizeEmbeddings } from '../quantize.js'
import { codeBytes, type IndexSettings } from './format.js'

/** Values between two checks of the clock. */
const STRIDE = 2 ** 15

/** Rows in few bits, and of `int8` the factor of each row's products. */
export interface Codes {
  codes: Uint8Array
  factors: Float32Array
}

/**
 * Codes of rows: of `binary` a bit for each number, 1 where it is above 0; of `int8` each row divided by its largest size, from -127
 * to 127, so that rows need no common range.
 */
export async function codesOf(rows: Embeddings, settings: IndexSettings): Promise<Codes> {
  if (settings.precision === 'binary') return { codes: await bitsOf(rows, settings), factors: new Float32Array(0) }
  return settings.precision === 'int8'
    ? bytesOf(rows, settings)
    : { codes: new Uint8Array(0), factors: new Float32Array(0) }
}

/** Bits in rows of whole words of 64; the rest of a row is 0. */
export async function bitsOf(rows: Embeddings, settings: IndexSettings): Promise<Uint8Array> {
  const { data, shape } = await quantizeEmbeddings(rows, 'ubinary', { copy: false })
  const width = codeBytes(settings)
  if (shape[1] === width) return data
  const out = new Uint8Array(shape[0] * width)
  for (let row = 0; row < shape[0]; row++) out.set(data.subarray(row * shape[1], (row + 1) * shape[1]), row * width)
  return out
}

async function bytesOf({ data, shape }: Embeddings, { scoreFunction }: IndexSettings): Promise<Codes> {
  const [rows, width] = shape
  const codes = new Int8Array(data.length)
  const factors = new Float32Array(rows)
  const slice = new TimeSlice()
  for (let row = 0; row < rows; row++) {
    const start = row * width
    let [largest, squares] = [0, 0]
    for (let i = start; i < start + width; i++) {
      const value = data[i]!
      largest = Math.max(largest, Math.abs(value))
      squares += value * value
    }
    const scale = largest === 0 ? 0 : 127 / largest
    for (let i = start; i < start + width; i++) codes[i] = Math.round(data[i]! * scale)
    const length = scoreFunction === 'cosine' ? Math.sqrt(squares) : 1
    factors[row] = scale === 0 ? 0 : 1 / scale / length
    if (row % Math.ceil(STRIDE / width) === 0) await slice.yield()
  }
  return { codes: new Uint8Array(codes.buffer), factors }
}
