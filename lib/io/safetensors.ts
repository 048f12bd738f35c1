import { type FileHandle, open, readFile, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { invalidArgument, SentenceTorchError } from '../errors.js'
import { checkRelativePath } from './safe-path.js'
import { damaged, maxHeaderBytes, type PlacedEntry, parseHeader, type TensorEntry } from './safetensors-header.js'
import { misfit, object, parseJson, recordOf, type Schema } from './schema.js'
import { failedTo, systemError } from './system-error.js'

export type { SafetensorsDType } from './dtypes.js'
export type { TensorEntry } from './safetensors-header.js'
export { type TensorSource, writeSafetensors } from './safetensors-writer.js'

/** Bytes per system call: Linux reads at most 2 GiB at once. */
const readBytes = 1 << 30
/** All are open at once. */
const MAX_SHARDS = 500

/** An open file, or all shards of one model; bytes are read when asked for. */
export interface SafetensorsFile {
  /** The file, or the index of the shards. */
  readonly path: string
  /** dtype, shape and size of every tensor. */
  readonly tensors: ReadonlyMap<string, TensorEntry>
  /** `__metadata__` of the file (of all shards). */
  readonly metadata: Readonly<Record<string, string>>
  /** The bytes `start …end` (default all) of a tensor, little-endian, in memory of their own. */
  read(name: string, start?: number, end?: number): Promise<Uint8Array>
  /** Fills `target` with the bytes of a tensor from `start` on. */
  readInto(name: string, start: number, target: Uint8Array): Promise<void>
  /** Closes the files; reads then fail. Idempotent. */
  close(): Promise<void>
}

interface Shard {
  path: string
  file: FileHandle
  dataStart: number
  tensors: Map<string, PlacedEntry>
  metadata: Record<string, string>
}

/**
 * Opens a `.safetensors` file, or the shards that a `model.safetensors.index.json` names. Headers are checked completely
 * before anything is believed; no tensor enters memory. What a shard holds is said by its own header: as in transformers, an
 * index may name less than there is, more, or another shard.
 * @throws SentenceTorchError ERR_NOT_FOUND, ERR_INVALID_FILE naming file and tensor.
 */
export async function openSafetensors(pathOrIndex: string): Promise<SafetensorsFile> {
  if (!pathOrIndex.endsWith('.json')) {
    const shard = await openShard(pathOrIndex)
    return new OpenFile(pathOrIndex, [shard], new Map([...shard.tensors.keys()].map((name) => [name, shard])))
  }
  const weightMap = await readIndex(pathOrIndex)
  const shards = new Map<string, Shard>()
  try {
    for (const file of new Set(weightMap.values())) shards.set(file, await openShard(join(dirname(pathOrIndex), file)))
    const owners = new Map<string, Shard>()
    for (const shard of shards.values()) {
      for (const name of shard.tensors.keys()) {
        const twin = owners.get(name)
        if (twin)
          throw damaged(pathOrIndex, `tensor "${name}" is in ${basename(twin.path)} and ${basename(shard.path)}`)
        owners.set(name, shard)
      }
    }
    return new OpenFile(pathOrIndex, [...shards.values()], owners)
  } catch (error) {
    await Promise.all([...shards.values()].map((shard) => shard.file.close()))
    throw error
  }
}

class OpenFile implements SafetensorsFile {
  readonly tensors: ReadonlyMap<string, TensorEntry>
  readonly metadata: Readonly<Record<string, string>>
  private closed: Promise<unknown> | undefined

  constructor(
    readonly path: string,
    private readonly shards: readonly Shard[],
    private readonly owners: ReadonlyMap<string, Shard>,
  ) {
    this.tensors = new Map(
      [...owners].map(([name, shard]) => {
        const { dtype, shape, byteLength } = shard.tensors.get(name)!
        return [name, { dtype, shape, byteLength }]
      }),
    )
    this.metadata = Object.fromEntries(shards.flatMap(({ metadata }) => Object.entries(metadata)))
  }

  async read(name: string, start = 0, end?: number): Promise<Uint8Array> {
    const last = end ?? this.entry(name).byteLength
    this.checkRange(name, start, last)
    const target = new Uint8Array(last - start)
    await this.readInto(name, start, target)
    return target
  }

  async readInto(name: string, start: number, target: Uint8Array): Promise<void> {
    this.checkRange(name, start, start + target.byteLength)
    if (this.closed) throw new SentenceTorchError('ERR_DISPOSED', `${this.owners.get(name)!.path} has been closed`)
    const { file, dataStart, tensors, path } = this.owners.get(name)!
    const position = dataStart + tensors.get(name)!.offset + start
    for (let done = 0; done < target.byteLength; ) {
      const length = Math.min(readBytes, target.byteLength - done)
      const { bytesRead } = await file.read(target, done, length, position + done).catch(failedTo(`read ${path}`))
      if (bytesRead === 0) throw damaged(path, `it ends inside tensor "${name}"; it became shorter after it was opened`)
      done += bytesRead
    }
  }

  async close(): Promise<void> {
    this.closed ??= Promise.all(this.shards.map((shard) => shard.file.close()))
    await this.closed
  }

  private entry(name: string): TensorEntry {
    const entry = this.tensors.get(name)
    if (!entry) throw invalidArgument('name', `a tensor of ${this.path}`, name)
    return entry
  }

  private checkRange(name: string, start: number, end: number): void {
    const { byteLength } = this.entry(name)
    if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || end < start || end > byteLength) {
      throw invalidArgument('start, end', `a range inside the ${byteLength} bytes of "${name}"`, `${start}, ${end}`)
    }
  }
}

async function openShard(path: string): Promise<Shard> {
  const found = await stat(path).catch(failedTo(`read ${path}`))
  // Whoever opens a pipe waits for a writer.
  if (!found.isFile()) throw damaged(path, 'it is no file')
  const file = await open(path, 'r').catch(failedTo(`read ${path}`))
  try {
    const { size } = await file.stat()
    if (size < 8) throw damaged(path, `it has ${size} bytes, fewer than the 8 of a header length`)
    const start = Buffer.alloc(8)
    await file.read(start, 0, 8, 0)
    const headerBytes = start.readBigUInt64LE()
    if (headerBytes > BigInt(Math.min(size - 8, maxHeaderBytes))) {
      throw damaged(
        path,
        `it promises a header of ${headerBytes} bytes, but has ${size} bytes (at most ${maxHeaderBytes} are read)`,
      )
    }
    const header = Buffer.alloc(Number(headerBytes))
    await file.read(header, 0, header.length, 8)
    const dataStart = 8 + header.length
    return { path, file, dataStart, ...parseHeader(header, size - dataStart, path) }
  } catch (error) {
    await file.close()
    throw systemError(error, `read ${path}`)
  }
}

/** A shard lies beside its index: anything else could read files all over the disk. */
const shardName: Schema<string> = (value, place) => {
  const name = checkRelativePath(value, `${place.key} of ${place.file}`, place.code)
  if (name === basename(name) && name.endsWith('.safetensors')) return name
  throw misfit(place, 'a .safetensors file beside it', name)
}
const indexSchema = object({ weight_map: recordOf(shardName) })

/** Tensor name → file name, as an index has them. */
async function readIndex(path: string): Promise<Map<string, string>> {
  const { size } = await stat(path).catch(failedTo(`read ${path}`))
  if (size > maxHeaderBytes) throw damaged(path, `it has ${size} bytes (at most ${maxHeaderBytes} are read)`)
  const { weight_map } = parseJson(await readFile(path).catch(failedTo(`read ${path}`)), path, indexSchema)
  const count = new Set(Object.values(weight_map)).size
  if (count > MAX_SHARDS) throw damaged(path, `it names ${count} files (at most ${MAX_SHARDS} are opened)`)
  return new Map(Object.entries(weight_map))
}
