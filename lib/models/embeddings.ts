import { invalidArgument, SentenceTorchError } from '../errors.js'

/** Rows of equal width: embeddings, or similarities of embeddings. */
export interface Embeddings {
  /** All rows, one after the other. */
  data: Float32Array
  /** Rows and width of a row. */
  shape: [number, number]
  /** Row `i`, a view of `data`. Throws ERR_INVALID_ARGUMENT unless 0 ≤ i < rows. */
  row(i: number): Float32Array
}

/** What functions that compare embeddings take: rows, one row, or a list of rows of equal width. */
export type EmbeddingsLike = Pick<Embeddings, 'data' | 'shape'> | Float32Array | readonly Float32Array[]

/** Bytes of embeddings that are copied at once: what most corpora have, copied in less than the time of one job of the engine. */
export const COPIED_BYTES = 2 ** 28

/** Wraps `data` ([rows, width]) without copying. */
export function embeddings(data: Float32Array, rows: number, width: number): Embeddings {
  return {
    data,
    shape: [rows, width],
    row(i) {
      if (!Number.isInteger(i) || i < 0 || i >= rows)
        throw invalidArgument('row', `an integer from 0 to ${rows - 1}`, i)
      return data.subarray(i * width, (i + 1) * width)
    },
  }
}

/** Checks what a caller passed as embeddings `name` and brings it into one form; a single vector is one row. */
export function asEmbeddings(value: EmbeddingsLike, name: string): Embeddings {
  if (value instanceof Float32Array) return embeddings(value, 1, value.length)
  if (Array.isArray(value)) return joinRows(value as readonly Float32Array[], name)
  const { data, shape } = (value ?? {}) as Embeddings
  const fits =
    data instanceof Float32Array &&
    Array.isArray(shape) &&
    shape.length === 2 &&
    shape.every((n) => Number.isInteger(n) && n >= 0) &&
    shape[0] * shape[1] === data.length
  if (!fits)
    throw invalidArgument(name, 'embeddings { data: Float32Array, shape: [rows, width] } or Float32Arrays', value)
  return embeddings(data, shape[0], shape[1])
}

/**
 * `asEmbeddings` for work that goes on after the call: a copy, so that nothing that happens to the caller's arrays meanwhile is
 * seen. With `copy: false` the rows themselves, which must then stay as they are.
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT; ERR_OUT_OF_MEMORY when there is no room for the copy
 */
export function ownEmbeddings(value: EmbeddingsLike, name: string, copy = true): Embeddings {
  const { data, shape } = asEmbeddings(value, name)
  // A list of rows has just been joined.
  if (Array.isArray(value)) return embeddings(data, ...shape)
  if (!copy) return embeddings(inPlace(data, name), ...shape)
  return embeddings(copyOf(data, name), ...shape)
}

/** A copy in memory that is ours alone. */
export function copyOf<T extends Float32Array | Uint16Array | Int8Array>(data: T, name: string): T {
  try {
    return data.slice() as T
  } catch (cause) {
    // No RangeError: there is no memory to copy from.
    if (cause instanceof TypeError) {
      throw new SentenceTorchError(
        'ERR_INVALID_ARGUMENT',
        `Expected ${name} to be here, but its memory was transferred`,
      )
    }
    const message = `No memory for a copy of ${name} (${data.byteLength} bytes); copy: false copies less at a time`
    throw new SentenceTorchError('ERR_OUT_OF_MEMORY', message, { cause })
  }
}

/** `data`, unless its memory may vanish or be written to by another thread while the engine reads it. */
export function inPlace(data: Float32Array, name: string): Float32Array {
  const { buffer } = data as { buffer: ArrayBufferLike & { resizable?: boolean } }
  const kind = buffer instanceof ArrayBuffer ? (buffer.resizable ? 'a resizable ArrayBuffer' : '') : 'shared memory'
  if (kind === '') return data
  const message = `Expected an ArrayBuffer of fixed size for ${name} with copy: false, but received ${kind}`
  throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
}

/** The first number of `data` from `start` to `end` that is NaN or infinite; −1 without any. */
export function firstNotFinite(data: Float32Array, start = 0, end = data.length): number {
  // x − x is 0, or NaN where x is not finite. Two sums, since each addition waits for the one before: all numbers are read.
  let [even, odd] = [0, 0]
  let i = start
  for (; i + 2 <= end; i += 2) {
    even += data[i]! - data[i]!
    odd += data[i + 1]! - data[i + 1]!
  }
  if (i < end) even += data[i]! - data[i]!
  if (even + odd === 0) return -1
  for (i = start; i < end; i++) if (!Number.isFinite(data[i]!)) return i
  return -1
}

function joinRows(rows: readonly Float32Array[], name: string): Embeddings {
  const width = rows[0]?.length ?? 0
  const data = new Float32Array(rows.length * width)
  rows.forEach((row, i) => {
    if (!(row instanceof Float32Array)) throw invalidArgument(`${name}[${i}]`, 'a Float32Array', row)
    if (row.length !== width) {
      const message = `Expected length ${width} for ${name}[${i}], as for ${name}[0], but received length ${row.length}`
      throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
    }
    data.set(row, i * width)
  })
  return embeddings(data, rows.length, width)
}

/**
 * Rows divided by their Euclidean length, at least 1e-12 (a zero row stays zero), as torch.nn.functional.normalize does.
 * Returns a new array; the input is untouched.
 */
export function normalizeRows(data: Float32Array, width: number): Float32Array {
  const out = new Float32Array(data.length)
  for (let start = 0; start < data.length; start += width) {
    let squares = 0
    for (let j = start; j < start + width; j++) squares += data[j]! * data[j]!
    const scale = 1 / Math.max(Math.sqrt(squares), 1e-12)
    for (let j = start; j < start + width; j++) out[j] = data[j]! * scale
  }
  return out
}

/** The first `dim` values of every row; `data` itself where a row has no more. */
export function truncateRows(data: Float32Array, width: number, dim: number): { data: Float32Array; width: number } {
  if (dim >= width) return { data, width }
  const rows = data.length / width
  const out = new Float32Array(rows * dim)
  for (let i = 0; i < rows; i++) out.set(data.subarray(i * width, i * width + dim), i * dim)
  return { data: out, width: dim }
}
