/** Number types of vectors of tokens. */
import { TimeSlice } from '../../data/time-slice.js'
import { invalidArgument } from '../../errors.js'
import { bytesOf, floatsOf } from '../../io/floats.js'
import { asEmbeddings, type Embeddings, type EmbeddingsLike, embeddings } from '../embeddings.js'
import { type Extremes, rangesOf, stepsOf, toBits, toBytes } from '../row-codes.js'

/** The arrays of each precision. */
export interface TokenData {
  float32: Float32Array
  /** The bits of each number, since arrays of half precision are not everywhere. */
  float16: Uint16Array
  int8: Int8Array
  /** Eight numbers in a byte, as `quantizeEmbeddings` has them. */
  binary: Int8Array
}
export type TokenPrecision = keyof TokenData
export const TOKEN_PRECISIONS: readonly TokenPrecision[] = ['float32', 'float16', 'int8', 'binary']
export const TOKEN_ARRAYS = { float32: Float32Array, float16: Uint16Array, int8: Int8Array, binary: Int8Array }

/** Numbers between two checks of the clock. */
const STRIDE = 2 ** 15

/** Entries of `data` for a vector of `dimension` numbers. */
export function entriesOf(precision: TokenPrecision, dimension: number): number {
  return precision === 'binary' ? Math.ceil(dimension / 8) : dimension
}

/** @throws ERR_INVALID_ARGUMENT unless `ranges` has a least and a greatest value, which are finite, for each number */
export function checkedRanges(ranges: EmbeddingsLike, dimension: number): Embeddings {
  const { data, shape } = asEmbeddings(ranges, 'ranges')
  if (shape[0] !== 2 || shape[1] !== dimension) throw invalidArgument('ranges', `2 × ${dimension} numbers`, shape)
  for (let d = 0; d < dimension; d++) {
    const [low, high] = [data[d]!, data[dimension + d]!]
    if (!(Number.isFinite(high - low) && low <= high))
      throw invalidArgument(`ranges of number ${d}`, 'a least and a greatest value', [low, high])
  }
  return embeddings(data.slice(), 2, dimension)
}

const extremesOf = ({ data, shape: [, dim] }: Embeddings): Extremes => {
  return { low: data.subarray(0, dim), high: data.subarray(dim) }
}

/** Float32 numbers in another precision. @param given for int8; default: the extremes of the numbers themselves */
export async function encoded(
  data: Float32Array,
  dimension: number,
  precision: Exclude<TokenPrecision, 'float32'>,
  given?: Embeddings,
): Promise<{ data: Uint16Array | Int8Array; ranges?: Embeddings }> {
  const slice = new TimeSlice()
  const vectors = data.length / dimension
  if (precision === 'binary') {
    const out = new Int8Array(vectors * entriesOf(precision, dimension))
    return { data: await toBits(data, out, dimension, 128, slice) }
  }
  if (precision === 'int8') {
    const ranges = given ?? (await rangesOf(data, dimension, slice))
    return { data: await toBytes(data, new Int8Array(data.length), extremesOf(ranges), 128, slice), ranges }
  }
  const out = new Uint16Array(data.length)
  for (let start = 0; start < data.length; start += STRIDE) {
    out.set(new Uint16Array(bytesOf(data.subarray(start, start + STRIDE), 'F16').buffer), start)
    await slice.yield()
  }
  return { data: out }
}

/** By which a byte becomes a number: byte × scale + shift, the middle of its step. Without ranges the byte itself. */
export function scalesOf(
  ranges: Embeddings | undefined,
  dimension: number,
): { scales: Float32Array; shifts: Float32Array } {
  if (!ranges) return { scales: new Float32Array(dimension).fill(1), shifts: new Float32Array(dimension) }
  const extremes = extremesOf(ranges)
  const scales = stepsOf(extremes)
  return { scales, shifts: extremes.low.map((low, d) => low + 128.5 * scales[d]!) }
}

/** The numbers of vectors in another precision than float32; bits are -1 and 1. */
export async function decoded(
  precision: Exclude<TokenPrecision, 'float32'>,
  data: Uint16Array | Int8Array,
  dimension: number,
  ranges: Embeddings | undefined,
): Promise<Float32Array> {
  const slice = new TimeSlice()
  const vectors = data.length / entriesOf(precision, dimension)
  const out = new Float32Array(vectors * dimension)
  if (precision === 'float16') {
    for (let start = 0; start < data.length; start += STRIDE) {
      const part = data.slice(start, start + STRIDE)
      out.set(floatsOf(new Uint8Array(part.buffer, part.byteOffset, part.byteLength), 'F16'), start)
      await slice.yield()
    }
    return out
  }
  const { scales, shifts } = scalesOf(ranges, dimension)
  const width = entriesOf(precision, dimension)
  for (let row = 0; row < vectors; row++) {
    for (let d = 0; d < dimension; d++) {
      const code = data[row * width + (precision === 'binary' ? d >> 3 : d)]!
      const isOne = ((code + 128) >> (7 - (d & 7))) & 1
      out[row * dimension + d] = precision === 'binary' ? (isOne ? 1 : -1) : Math.fround(code * scales[d]!) + shifts[d]!
    }
    if (row % Math.ceil(STRIDE / dimension) === 0) await slice.yield()
  }
  return out
}
