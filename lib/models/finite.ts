import { SentenceTorchError } from '../errors.js'
import type { TensorRange } from '../native/types.js'

/** Halves of 16 bits: the bits of the exponent, all of which are set in NaN and infinity. */
const EXPONENTS = { F16: 0x7c00, BF16: 0x7f80 } as const

/**
 * Refuses values that float32 does not have, as the engine does, but before it takes anything: of several tensors it would have
 * taken those in front.
 * @param where the file, for the message
 * @throws SentenceTorchError ERR_INVALID_TENSORS naming the tensor
 */
export function checkFinite(ranges: readonly TensorRange[], where: string): void {
  for (const { name, dtype, data } of ranges) {
    if (areFinite(dtype, data)) continue
    const message = `Tensor ${name} in ${where} holds a value that is not finite (NaN or infinity)`
    throw new SentenceTorchError('ERR_INVALID_TENSORS', message)
  }
}

function areFinite(dtype: TensorRange['dtype'], { buffer, byteOffset, byteLength }: Uint8Array): boolean {
  if (dtype === 'I64') return true
  if (dtype === 'F16' || dtype === 'BF16') {
    const exponent = EXPONENTS[dtype]
    return new Uint16Array(buffer, byteOffset, byteLength / 2).every((bits) => (bits & exponent) !== exponent)
  }
  const values =
    dtype === 'F32'
      ? new Float32Array(buffer, byteOffset, byteLength / 4)
      : new Float32Array(new Float64Array(buffer, byteOffset, byteLength / 8))
  // A sum of float32 in float64 overflows only where a term is infinite.
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i]!
  return Number.isFinite(sum)
}
