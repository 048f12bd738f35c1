import { damaged } from './damaged.js'
import { maxHeaderBytes, type PlacedEntry, parseHeader } from './safetensors-header.js'
import { openShards, openToRead, readFully, type Shard } from './shards.js'
import type { TensorFile } from './tensor-file.js'

export type { SafetensorsDType } from './dtypes.js'
export type { TensorEntry } from './safetensors-header.js'
export { type TensorSource, writeSafetensors } from './safetensors-writer.js'
export type { TensorFile as SafetensorsFile } from './tensor-file.js'

/**
 * Opens a `.safetensors` file, or the shards that a `model.safetensors.index.json` names. Headers are checked completely
 * before anything is believed; no tensor enters memory.
 * @throws SentenceTorchError ERR_NOT_FOUND, ERR_INVALID_FILE naming file and tensor.
 */
export function openSafetensors(pathOrIndex: string): Promise<TensorFile> {
  return openShards(pathOrIndex, openShard, '.safetensors')
}

function openShard(path: string): Promise<Shard> {
  return openToRead(path, async (file, size) => {
    const read = (target: Uint8Array, position: number, what: string) =>
      readFully({ file, path }, target, position, what)
    if (size < 8) throw damaged(path, `it has ${size} bytes, fewer than the 8 of a header length`)
    const start = Buffer.alloc(8)
    await read(start, 0, 'the header length')
    const headerBytes = start.readBigUInt64LE()
    if (headerBytes > BigInt(Math.min(size - 8, maxHeaderBytes))) {
      throw damaged(
        path,
        `it promises a header of ${headerBytes} bytes, but has ${size} bytes (at most ${maxHeaderBytes} are read)`,
      )
    }
    const header = Buffer.alloc(Number(headerBytes))
    await read(header, 8, 'the header')
    const dataStart = 8 + header.length
    const { tensors, metadata } = parseHeader(header, size - dataStart, path)
    const positionOf = (name: string) => dataStart + (tensors.get(name) as PlacedEntry).offset
    return {
      path,
      tensors,
      metadata,
      readInto: (name, from, target) => read(target, positionOf(name) + from, `tensor "${name}"`),
      close: () => file.close(),
    }
  })
}
