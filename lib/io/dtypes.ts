/**
 * Bits per element of every dtype of the safetensors format (safetensors/src/tensor.rs, version 0.8). Types below a byte are
 * packed: their tensors must fill whole bytes.
 */
export const dtypeBits = {
  BOOL: 8,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  C64: 64,
  F64: 64,
  I64: 64,
  U64: 64,
} as const

export type SafetensorsDType = keyof typeof dtypeBits

/** The reference's order: tensors of wide types come first in a file, so that all are aligned. */
const order = Object.keys(dtypeBits) as SafetensorsDType[]

export function isDType(name: unknown): name is SafetensorsDType {
  return typeof name === 'string' && Object.hasOwn(dtypeBits, name)
}

export function dtypeRank(dtype: SafetensorsDType): number {
  return order.indexOf(dtype)
}

/**
 * Bytes of a tensor; undefined when the shape is not a list of sizes, or when the product is too large or does not fill
 * whole bytes.
 */
export function byteLengthOf(dtype: SafetensorsDType, shape: unknown): number | undefined {
  if (!Array.isArray(shape)) return undefined
  let elements = 1
  for (const size of shape) {
    if (!Number.isSafeInteger(size) || size < 0) return undefined
    elements *= size
  }
  const bits = elements * dtypeBits[dtype]
  return Number.isSafeInteger(bits) && bits % 8 === 0 ? bits / 8 : undefined
}
