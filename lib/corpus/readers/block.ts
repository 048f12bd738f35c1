import { SentenceTorchError } from '../../errors.js'
import type { Precision, QuantizedData } from '../../search/quantize.js'
import type { EncodedRows } from '../rows.js'

/** Bytes that are read at once. */
export const BLOCK_BYTES = 2 ** 25

/** Some rows of a file, with their texts where it has them. */
export interface RowBlock {
  rows: EncodedRows
  texts?: string[]
}

const ARRAYS: { [P in Precision]: new (buffer: ArrayBuffer) => QuantizedData[P] } = {
  float32: Float32Array,
  int8: Int8Array,
  binary: Int8Array,
  uint8: Uint8Array,
  ubinary: Uint8Array,
}

/** Bytes as numbers. */
export function arrayOf(precision: Precision, buffer: ArrayBuffer): QuantizedData[Precision] {
  return new ARRAYS[precision](buffer)
}

/** Bytes of a number. */
export function numberBytes(precision: Precision): number {
  return precision === 'float32' ? 4 : 1
}

/** The error for a file that is not what its manifest says. */
export function misread(path: string, expected: string, found: unknown): SentenceTorchError {
  return new SentenceTorchError('ERR_INVALID_FILE', `Expected ${expected} in ${path}, found ${found}`)
}
