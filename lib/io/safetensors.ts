import { damaged } from './damaged.js'
import { maxHeaderBytes, parseHeader } from './safetensors-header.js'
import { type ByteSource, openShards, type Shard } from './shards.js'
import type { TensorFile } from './tensor-files.js'

export type { SafetensorsDType } from './dtypes.js'
export type { TensorEntry } from './safetensors-header.js'
export { type TensorSource, writeSafetensors } from './safetensors-writer.js'
export type { TensorFile as SafetensorsFile } from './tensor-files.js'

/**
 * Opens a `.safetensors` file, or the shards that a `model.safetensors.index.json` names. Headers are checked completely
 * before they are used. No tensor is read into memory.
 * @throws SentenceTorchError ERR_NOT_FOUND, ERR_INVALID_FILE naming file and tensor.
 */
export function openSafetensors(pathOrIndex: string): Promise<TensorFile> {
  return openShards(pathOrIndex, parseSafetensors, '.safetensors')
}

async function parseSafetensors(source: ByteSource): Promise<Shard> {
  const { path, size } = source
  if (size < 8) throw damaged(path, `it has ${size} bytes, fewer than the 8 of a header length`)
  const start = Buffer.alloc(8)
  await source.read(start, 0, 'the header length')
  const headerBytes = start.readBigUInt64LE()
  if (headerBytes > BigInt(Math.min(size - 8, maxHeaderBytes))) {
    throw damaged(
      path,
      `it promises a header of ${headerBytes} bytes, but has ${size} bytes (at most ${maxHeaderBytes} are read)`,
    )
  }
  const header = Buffer.alloc(Number(headerBytes))
  await source.read(header, 8, 'the header')
  const dataStart = 8 + header.length
  const { tensors, metadata } = parseHeader(header, size - dataStart, path)
  const positionOf = (name: string) => dataStart + tensors.get(name)!.offset
  const readInto: Shard['readInto'] = (name, from, target) => {
    return source.read(target, positionOf(name) + from, `tensor "${name}"`)
  }
  return { source, tensors, metadata, readInto, positionOf }
}
