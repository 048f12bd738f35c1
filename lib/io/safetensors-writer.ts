import type { FileHandle } from 'node:fs/promises'
import { invalidArgument } from '../errors.js'
import { writeFileAtomic } from './atomic.js'
import { byteLengthOf, dtypeRank, isDType, type SafetensorsDType } from './dtypes.js'

/** A tensor to write: its bytes, or a function that gives them piece by piece when needed. */
export interface TensorSource {
  name: string
  dtype: SafetensorsDType
  shape: readonly number[]
  data: Uint8Array | (() => AsyncIterable<Uint8Array>)
}

/**
 * Writes a safetensors file like the reference implementation, byte for byte: metadata first, tensors by dtype (widest
 * first) and then by name, the header padded with spaces to a multiple of 8. Only metadata may differ, because keys are
 * sorted here and shuffled there. Bytes are written unchanged.
 *
 * The file appears under its name when it is complete. It is not synced, because `replaceFolder` syncs its folder once as a
 * whole.
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT naming a tensor whose dtype, shape, size or name does not fit.
 */
export async function writeSafetensors(
  path: string,
  tensors: Iterable<TensorSource> | AsyncIterable<TensorSource>,
  metadata?: Readonly<Record<string, string>>,
): Promise<void> {
  const sources: (TensorSource & { byteLength: number })[] = []
  for await (const tensor of tensors) sources.push({ ...tensor, byteLength: checkedLength(tensor) })
  sources.sort((a, b) => dtypeRank(b.dtype) - dtypeRank(a.dtype) || byBytes(a.name, b.name))
  const header = makeHeader(sources, metadata)
  await writeFileAtomic(
    path,
    async (file) => {
      await writeFully(file, header)
      for (const source of sources) await writeTensor(file, source)
    },
    { sync: false },
  )
}

function makeHeader(
  sources: readonly (TensorSource & { byteLength: number })[],
  metadata: Readonly<Record<string, string>> | undefined,
): Buffer {
  // Text instead of an object, in which names such as "1" or "__proto__" would not keep their place.
  const parts: string[] = []
  if (metadata) {
    const pairs = Object.keys(metadata)
      .sort(byBytes)
      .map((key) => {
        if (typeof metadata[key] !== 'string') throw invalidArgument(`metadata.${key}`, 'a string', metadata[key])
        return `${JSON.stringify(key)}:${JSON.stringify(metadata[key])}`
      })
    parts.push(`"__metadata__":{${pairs.join(',')}}`)
  }
  let offset = 0
  const names = new Set<string>()
  for (const { name, dtype, shape, byteLength } of sources) {
    if (names.has(name)) throw invalidArgument('tensors', 'every name once', name)
    names.add(name)
    const entry = { dtype, shape, data_offsets: [offset, offset + byteLength] }
    parts.push(`${JSON.stringify(name)}:${JSON.stringify(entry)}`)
    offset += byteLength
  }
  const json = Buffer.from(`{${parts.join(',')}}`)
  const padded = Math.ceil(json.length / 8) * 8
  const header = Buffer.alloc(8 + padded, ' ')
  header.writeBigUInt64LE(BigInt(padded))
  json.copy(header, 8)
  return header
}

function checkedLength({ name, dtype, shape, data }: TensorSource): number {
  if (typeof name !== 'string' || name === '__metadata__') throw invalidArgument('tensor name', 'a string', name)
  if (!isDType(dtype)) throw invalidArgument(`dtype of tensor "${name}"`, 'a dtype of safetensors', dtype)
  const byteLength = byteLengthOf(dtype, shape)
  if (byteLength === undefined)
    throw invalidArgument(`shape of tensor "${name}"`, 'sizes that fit', JSON.stringify(shape))
  if (typeof data !== 'function' && data.byteLength !== byteLength) throw wrongSize(name, byteLength, data.byteLength)
  return byteLength
}

async function writeTensor(file: FileHandle, source: TensorSource & { byteLength: number }): Promise<void> {
  if (typeof source.data !== 'function') return writeFully(file, source.data)
  let written = 0
  for await (const piece of source.data()) {
    written += piece.byteLength
    if (written > source.byteLength) break
    await writeFully(file, piece)
  }
  if (written !== source.byteLength) throw wrongSize(source.name, source.byteLength, written)
}

/** One call may write less than requested, on an almost full disk or for more than 2 GiB. */
async function writeFully(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.byteLength; ) {
    const { bytesWritten } = await file.write(bytes, done, Math.min(bytes.byteLength - done, 1 << 30))
    done += bytesWritten
  }
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

function wrongSize(name: string, expected: number, found: number) {
  return invalidArgument(`data of tensor "${name}"`, `${expected} bytes`, `${found} bytes`)
}
