// Numbers of tensors, as bytes of a file and as numbers to compute with. Node 20 has no arrays of half precision.

/** The float types of files. */
export type FloatDType = 'F64' | 'F32' | 'F16' | 'BF16'

/** The numbers of a tensor. @param bytes little-endian, aligned to the size of an element */
export function floatsOf(bytes: Uint8Array, dtype: FloatDType): Float32Array | Float64Array {
  switch (dtype) {
    case 'F64':
      return new Float64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8)
    case 'F32':
      return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
    case 'F16':
      return halves(words(bytes))
    case 'BF16':
      return new Float32Array(Uint32Array.from(words(bytes), (word) => word << 16).buffer)
  }
}

/** Numbers as bytes of a file, rounded to the nearest that the type has, of two to the even one. */
export function bytesOf(values: Float32Array | Float64Array, dtype: FloatDType): Uint8Array {
  const wide = dtype === 'F64' ? Float64Array : Float32Array
  const numbers = values instanceof wide ? values : new wide(values)
  if (dtype === 'F64' || dtype === 'F32') return new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength)
  const bits = new Uint32Array(numbers.buffer, numbers.byteOffset, numbers.length)
  const out = new Uint16Array(bits.length)
  // A loop takes a tenth of the time of Uint16Array.from.
  if (dtype === 'F16') for (let i = 0; i < out.length; i++) out[i] = toHalf(bits[i]!)
  else for (let i = 0; i < out.length; i++) out[i] = toBrain(bits[i]!)
  return new Uint8Array(out.buffer)
}

function halves(from: Uint16Array): Float32Array {
  const out = new Float32Array(from.length)
  for (let i = 0; i < out.length; i++) out[i] = halfToFloat(from[i]!)
  return out
}

function words(bytes: Uint8Array): Uint16Array {
  return new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2)
}

function halfToFloat(half: number): number {
  const sign = half & 0x8000 ? -1 : 1
  const exponent = (half >> 10) & 31
  const fraction = half & 1023
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY
  if (exponent === 0) return sign * fraction * 2 ** -24
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

/** The bits of a float32 as those of a bfloat16. */
function toBrain(bits: number): number {
  const isNumber = (bits & 0x7fffffff) <= 0x7f800000
  return isNumber ? (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16 : (bits >>> 16) | 0x40
}

/** The bits of a float32 as those of a float16. */
function toHalf(bits: number): number {
  const sign = (bits >>> 16) & 0x8000
  const size = bits & 0x7fffffff
  if (size > 0x7f800000) return sign | 0x7e00
  // From 65520 on the nearest is infinity.
  if (size >= 0x477ff000) return sign | 0x7c00
  if (size >= 0x38800000) return sign | ((size - 0x38000000 + 0xfff + ((size >>> 13) & 1)) >>> 13)
  // Below the smallest normal number: multiples of 2^-24.
  const exponent = size >>> 23
  if (exponent < 102) return sign
  const fraction = (size & 0x7fffff) | 0x800000
  const shift = 126 - exponent
  const kept = fraction >>> shift
  const rest = fraction & (2 ** shift - 1)
  const half = 2 ** (shift - 1)
  return sign | (kept + (rest > half || (rest === half && (kept & 1) === 1) ? 1 : 0))
}
