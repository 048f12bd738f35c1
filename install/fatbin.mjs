// Which architectures the CUDA code of a library was compiled for. nvcc puts it into "fat binaries": a header of 16 bytes (magic,
// version, header size, size of the rest), then entries with a header of their own: kind, size, architecture.

const MAGIC = 0xba55ed50
const KINDS = /** @type {Record<number, string>} */ ({ 1: 'compute', 2: 'sm' })

/**
 * @param {Buffer} file
 * @returns {string[]} sorted: `compute_90` is PTX, `sm_80` and `sm_90` are machine code
 */
export function cudaArchitectures(file) {
  const magic = Buffer.alloc(4)
  magic.writeUInt32LE(MAGIC)
  const found = new Set()
  for (let start = file.indexOf(magic); start >= 0; start = file.indexOf(magic, start + 4)) {
    if (start + 16 > file.length) break
    const header = file.readUInt16LE(start + 6)
    const end = start + header + Number(file.readBigUInt64LE(start + 8))
    // The four bytes may stand in other data.
    if (header !== 16 || end > file.length) continue
    for (let entry = start + header; entry + 32 <= end; ) {
      const kind = KINDS[file.readUInt16LE(entry)]
      if (kind) found.add(`${kind}_${file.readUInt32LE(entry + 28)}`)
      const size = file.readUInt32LE(entry + 4) + Number(file.readBigUInt64LE(entry + 8))
      if (size <= 0) break
      entry += size
    }
  }
  return [...found].sort()
}
