// A model's weights are one file, or several (shards) with an index. This holds for every format.
import { basename, dirname, join } from 'node:path'
import { invalidArgument, SentenceTorchError } from '../errors.js'
import { damaged } from './damaged.js'
import { openFile, readWhole } from './open-file.js'
import { checkRelativePath } from './safe-path.js'
import type { TensorEntry } from './safetensors-header.js'
import { misfit, object, parseJson, recordOf, type Schema } from './schema.js'
import { failedTo, systemError } from './system-error.js'
import type { FilePlace, TensorFile } from './tensor-files.js'

/** Bytes per system call: Linux reads at most 2 GiB at once. */
const READ_BYTES = 1 << 30
/** Limit of shards, which are all open at once. */
const MAX_SHARDS = 500
/** Limit of bytes in an index. Real ones are below 1 MB. */
const MAX_INDEX_BYTES = 100_000_000

/** The bytes of one file. */
export interface ByteSource {
  readonly path: string
  readonly size: number
  /** The descriptor of the open file. */
  readonly file: number
  /**
   * Fills `target` with the bytes from `position`.
   * @param what name of the bytes, for the message
   * @throws ERR_INVALID_FILE where the file ends before
   */
  read(target: Uint8Array, position: number, what: string): Promise<void>
  close(): Promise<void>
}

/** The content of one file. */
export interface Shard {
  readonly source: ByteSource
  readonly tensors: ReadonlyMap<string, TensorEntry>
  readonly metadata: Readonly<Record<string, string>>
  /** Fills `target` with the bytes of a tensor from `start`. All of them are in the file. */
  readInto(name: string, start: number, target: Uint8Array): Promise<void>
  /** Where a tensor begins in `source`; absent where its bytes are not there as they are. */
  positionOf?(name: string): number
}

/**
 * Opens a file of weights, or the shards that an index names. The shards themselves decide what they hold. As in
 * transformers, an index may name fewer tensors, more, or another shard.
 * @param parse finds the tensors of a file
 * @param extension ending of the shards' names: `.safetensors`
 * @throws SentenceTorchError ERR_NOT_FOUND, ERR_INVALID_FILE naming file and tensor; errors of `parse`
 */
export async function openShards(
  pathOrIndex: string,
  parse: (source: ByteSource) => Promise<Shard>,
  extension: string,
): Promise<TensorFile> {
  const paths = pathOrIndex.endsWith('.json') ? await readIndex(pathOrIndex, extension) : [pathOrIndex]
  const sources: ByteSource[] = []
  try {
    const shards: Shard[] = []
    for (const path of paths) {
      sources.push(await openSource(path))
      shards.push(await parse(sources.at(-1)!))
    }
    return new OpenFile(pathOrIndex, shards)
  } catch (error) {
    await Promise.all(sources.map((source) => source.close()))
    throw error
  }
}

class OpenFile implements TensorFile {
  readonly tensors: ReadonlyMap<string, TensorEntry>
  readonly metadata: Readonly<Record<string, string>>
  private readonly owners = new Map<string, Shard>()
  readonly place?: (name: string) => FilePlace
  private closed: Promise<unknown> | undefined

  constructor(
    readonly path: string,
    private readonly shards: readonly Shard[],
  ) {
    for (const shard of shards) {
      for (const name of shard.tensors.keys()) {
        const twin = this.owners.get(name)
        if (twin)
          throw damaged(path, `tensor "${name}" is in ${basename(twin.source.path)} and ${basename(shard.source.path)}`)
        this.owners.set(name, shard)
      }
    }
    this.tensors = new Map(
      [...this.owners].map(([name, shard]) => {
        const { dtype, shape, byteLength } = shard.tensors.get(name)!
        return [name, { dtype, shape, byteLength }]
      }),
    )
    if (shards.every(({ positionOf }) => positionOf)) {
      this.place = (name) => {
        const { source, positionOf } = this.owners.get(name)!
        return { file: source.file, position: positionOf!(name) }
      }
    }
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
    const shard = this.owners.get(name)!
    if (this.closed) throw new SentenceTorchError('ERR_DISPOSED', `${shard.source.path} has been closed`)
    await shard.readInto(name, start, target)
  }

  async close(): Promise<void> {
    this.closed ??= Promise.all(this.shards.map(({ source }) => source.close()))
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

async function openSource(path: string): Promise<ByteSource> {
  const file = await openFile(path, 'ERR_INVALID_FILE')
  const read: ByteSource['read'] = async (target, position, what) => {
    for (let done = 0; done < target.byteLength; ) {
      const length = Math.min(READ_BYTES, target.byteLength - done)
      const { bytesRead } = await file.read(target, done, length, position + done).catch(failedTo(`read ${path}`))
      if (bytesRead === 0) throw damaged(path, `it ends inside ${what}; it became shorter after it was opened`)
      done += bytesRead
    }
  }
  try {
    return { path, size: (await file.stat()).size, file: file.fd, read, close: () => file.close() }
  } catch (error) {
    await file.close()
    throw systemError(error, `read ${path}`)
  }
}

/** The names of the shards, from the bytes of an index. @throws ERR_INVALID_FILE */
export function shardNames(index: Uint8Array, path: string, extension: string): string[] {
  /** A shard is beside its index. Any other path could read files all over the disk. */
  const shardName: Schema<string> = (value, place) => {
    const name = checkRelativePath(value, `${place.key} of ${place.file}`, place.code)
    if (name === basename(name) && name.endsWith(extension)) return name
    throw misfit(place, `a ${extension} file beside it`, name)
  }
  const { weight_map } = parseJson(index, path, object({ weight_map: recordOf(shardName) }))
  const names = [...new Set(Object.values(weight_map))]
  if (names.length > MAX_SHARDS)
    throw damaged(path, `it names ${names.length} files (at most ${MAX_SHARDS} are opened)`)
  return names
}

/** The paths of the shards. */
async function readIndex(path: string, extension: string): Promise<string[]> {
  const bytes = await readWhole(path, MAX_INDEX_BYTES, 'ERR_INVALID_FILE')
  return shardNames(bytes, path, extension).map((name) => join(dirname(path), name))
}
