/** The bytes of a graph's weights, read from the engine while the file is written: a matrix at a time, large tables in pieces. */
import type { LaterBytes } from '../../io/protobuf.js'
import type { NativeEncoder, OnnxWeight } from '../../native/types.js'
import { dumpTensor } from '../dump.js'

/** Bytes of a transposed matrix that are made at once. */
const BLOCK_BYTES = 4 * 1024 * 1024

export function elementsOf(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1)
}

/** A weight in float32. */
export function floatBytes(encoder: NativeEncoder, { tensor, shape, transposed }: OnnxWeight): LaterBytes {
  const elements = elementsOf(shape)
  const stream = () => dumpTensor(encoder, tensor, elements)
  if (!transposed) return { byteLength: elements * 4, data: stream }
  return { byteLength: elements * 4, data: () => transposedFloats(stream(), shape as [number, number]) }
}

async function* transposedFloats(pieces: AsyncIterable<Uint8Array>, [rows, columns]: readonly [number, number]) {
  const whole = new Float32Array(rows * columns)
  let filled = 0
  for await (const piece of floats(pieces)) {
    whole.set(piece, filled)
    filled += piece.length
  }
  for (const block of transpose(whole, rows, columns, (n) => new Float32Array(n))) yield bytesOf(block)
}

/** The rows of the transpose of `whole` [columns, rows], some at a time. */
export function* transpose<T extends Float32Array | Int8Array>(
  whole: T,
  rows: number,
  columns: number,
  make: (length: number) => T,
): Generator<T> {
  const step = Math.max(1, Math.floor(BLOCK_BYTES / (columns * whole.BYTES_PER_ELEMENT)))
  for (let first = 0; first < rows; first += step) {
    const count = Math.min(step, rows - first)
    const block = make(count * columns)
    for (let column = 0; column < columns; column++) {
      const from = column * rows + first
      for (let row = 0; row < count; row++) block[row * columns + column] = whole[from + row]!
    }
    yield block
  }
}

/** Numbers of a tensor; a piece holds whole numbers. */
export async function* floats(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Float32Array> {
  for await (const piece of pieces) yield new Float32Array(piece.buffer, piece.byteOffset, piece.byteLength / 4)
}

export function bytesOf(array: Float32Array | Int8Array | BigInt64Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
}
