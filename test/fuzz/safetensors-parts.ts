/** A .safetensors file of its parts. @param length what it says that its header has; the truth where it is no number */
export function withLength(header: Uint8Array, data: Uint8Array, length?: unknown): Buffer {
  const start = Buffer.alloc(8)
  const given = typeof length === 'number' && Number.isFinite(length) ? length : header.length
  start.writeBigUInt64LE(BigInt.asUintN(64, BigInt(Math.trunc(given))))
  return Buffer.concat([start, header, data])
}

/** The parts of a file that is whole. */
export function parts(file: Buffer): { header: Uint8Array; data: Uint8Array } {
  const end = 8 + Number(file.readBigUInt64LE())
  return { header: file.subarray(8, end), data: file.subarray(end) }
}
