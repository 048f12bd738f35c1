// Small pieces of JSON of a fixed size in a binary file, each with its own checksum: what decides how the rest is read.
import { crc32 } from 'node:zlib'
import { damaged } from '../../io/damaged.js'

/** The kind of the file, the length of the JSON and its checksum. */
const HEAD_BYTES = 16

/** JSON as a block of `size` bytes that begins with `magic` (8 characters). */
export function toBlock(magic: string, value: object, size: number): Uint8Array {
  const json = Buffer.from(JSON.stringify(value))
  if (HEAD_BYTES + json.length > size)
    throw new Error(`A block of ${size} bytes has no room for ${json.length} of JSON`)
  const block = Buffer.alloc(size)
  block.write(magic, 'latin1')
  block.writeUInt32LE(json.length, 8)
  block.writeUInt32LE(crc32(json), 12)
  json.copy(block, HEAD_BYTES)
  return block
}

/** The text of a block. @throws SentenceTorchError ERR_INVALID_FILE that says what `name` is instead */
export function ofBlock(magic: string, block: Buffer, name: string, path: string): Uint8Array {
  if (block.toString('latin1', 0, 8) !== magic)
    throw damaged(path, `${name} does not begin with ${JSON.stringify(magic)}`)
  const length = block.readUInt32LE(8)
  const json = block.subarray(HEAD_BYTES, HEAD_BYTES + length)
  if (json.length !== length || crc32(json) !== block.readUInt32LE(12)) {
    throw damaged(path, `${name} does not have its checksum`)
  }
  return json
}
