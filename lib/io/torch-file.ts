import { describe } from '../errors.js'
import { damaged } from './damaged.js'
import type { TensorEntry } from './safetensors-header.js'
import { type ByteSource, openShards, type Shard } from './shards.js'
import { gather, isContiguous, type StridedView } from './strided.js'
import type { TensorFile } from './tensor-files.js'
import { unsupportedTorchFile } from './torch-remedy.js'
import type { TorchStorage } from './torch-values.js'
import { dataStart, type ReadBytes, readDirectory, type ZipDirectory } from './torch-zip.js'
import { MAX_PICKLE_BYTES, type TorchTensor, unpickleStateDict } from './unpickle.js'

/** The beginning of files that torch.save wrote before version 1.6: a pickle of the number 0x1950a86a20f9469cfc6c. */
const LEGACY = Buffer.from([0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19])
/** Limits of the tensors' total size. Many views may share a storage, and would multiply the file's size. */
const MAX_SHARING = 3
const FREE_BYTES = 16 * 1024 * 1024

/**
 * Opens a `pytorch_model.bin`, a state dict written by torch.save, or the shards that a `pytorch_model.bin.index.json`
 * names. Nothing of it is run: tensors and dictionaries are read, and anything else is refused. No tensor is read into
 * memory.
 * @throws SentenceTorchError ERR_NOT_FOUND, ERR_INVALID_FILE (damaged), ERR_UNSUPPORTED (more than a state dict of tensors;
 * the format of torch before 1.6; big-endian), naming the file
 */
export function openTorchFile(pathOrIndex: string): Promise<TensorFile> {
  return openShards(pathOrIndex, parseTorchFile, '.bin')
}

interface PlacedTensor extends TensorEntry, StridedView {
  isContiguous: boolean
}

/** The content of a `.bin` file. @throws as `openTorchFile` */
export async function parseTorchFile(source: ByteSource): Promise<Shard> {
  const { path, size } = source
  const read: ReadBytes = async (position, length, what) => {
    const bytes = Buffer.alloc(length)
    await source.read(bytes, position, what)
    return bytes
  }
  const start = await read(0, Math.min(size, LEGACY.length), 'its first bytes')
  if (start.equals(LEGACY)) throw unsupportedTorchFile(path, 'has the format that torch.save wrote before torch 1.6')
  if (start.toString('latin1', 0, 4) !== 'PK\x03\x04') throw damaged(path, 'it is no zip archive, as torch.save writes')
  return new TorchShard(source, await readTensors(read, size, path))
}

async function readTensors(read: ReadBytes, size: number, path: string): Promise<Map<string, PlacedTensor>> {
  const directory = await readDirectory(read, size, path)
  const root = directory.first.split('/', 1)[0]!
  const record = async (name: string, most: number) => {
    const entry = directory.entries.get(`${root}/${name}`)
    if (entry === undefined) return undefined
    if (entry.size > most) throw damaged(path, `its ${name} has ${entry.size} bytes (at most ${most} are read)`)
    return read(await dataStart(read, directory, entry, path), entry.size, `its ${name}`)
  }
  const pickle = await record('data.pkl', MAX_PICKLE_BYTES)
  if (pickle === undefined) throw damaged(path, `it has no ${describe(`${root}/data.pkl`)}, as torch.save writes`)
  if (directory.entries.has(`${root}/constants.pkl`)) throw unsupportedTorchFile(path, 'is a program of TorchScript')
  // Older versions of torch write no byteorder; they run on little-endian machines.
  const order = (await record('byteorder', 100))?.toString('latin1') ?? 'little'
  if (order !== 'little') throw unsupportedTorchFile(path, `has the byte order ${describe(order)}, expected "little"`)
  const views = unpickleStateDict(pickle, path)
  checkSharing(views, size, path)
  return placed(views, read, directory, { root, path })
}

/** @throws ERR_INVALID_FILE where tensors are many times larger than the file that holds them */
function checkSharing(views: ReadonlyMap<string, TorchTensor>, size: number, path: string): void {
  let total = 0
  for (const { byteLength } of views.values()) total += byteLength
  const most = MAX_SHARING * size + FREE_BYTES
  if (total > most)
    throw damaged(path, `its tensors have ${total} bytes, with ${size} bytes in the file (at most ${most})`)
}

/** Finds the storages of tensors in the file. */
async function placed(
  views: ReadonlyMap<string, TorchTensor>,
  read: ReadBytes,
  directory: ZipDirectory,
  { root, path }: { root: string; path: string },
): Promise<Map<string, PlacedTensor>> {
  const starts = new Map<string, number>()
  const startOf = async ({ type, key, elements }: TorchStorage, name: string) => {
    const entry = directory.entries.get(`${root}/data/${key}`)
    if (entry === undefined)
      throw damaged(path, `tensor ${describe(name)} has its storage in data/${key.slice(0, 60)}, which is not there`)
    const needed = elements * type.bytes
    if (entry.size < needed) {
      throw damaged(
        path,
        `data/${key.slice(0, 60)} has ${entry.size} bytes, but the storage of ${describe(name)} has ${needed}`,
      )
    }
    const start = starts.get(key) ?? (await dataStart(read, directory, entry, path))
    starts.set(key, start)
    return start
  }
  const tensors = new Map<string, PlacedTensor>()
  for (const [name, { storage, offset, shape, strides, byteLength }] of views) {
    const { dtype, bytes: itemBytes } = storage.type
    const position = (await startOf(storage, name)) + offset * itemBytes
    const contiguous = isContiguous(shape, strides)
    tensors.set(name, { dtype, shape, byteLength, strides, itemBytes, position, isContiguous: contiguous })
  }
  return tensors
}

class TorchShard implements Shard {
  readonly metadata = {}
  /** Reordered tensors whose elements have another order in the storage, until their last byte was read. */
  readonly #gathered = new Map<string, Promise<Uint8Array>>()
  /** One at a time, because each needs memory. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(
    readonly source: ByteSource,
    readonly tensors: ReadonlyMap<string, PlacedTensor>,
  ) {}

  async readInto(name: string, start: number, target: Uint8Array): Promise<void> {
    const tensor = this.tensors.get(name)!
    const what = `tensor ${describe(name)}`
    if (tensor.isContiguous) return this.source.read(target, tensor.position + start, what)
    const bytes = await this.#inOrder(name, tensor, what)
    target.set(bytes.subarray(start, start + target.byteLength))
    if (start + target.byteLength === tensor.byteLength) this.#gathered.delete(name)
  }

  #inOrder(name: string, tensor: PlacedTensor, what: string): Promise<Uint8Array> {
    const known = this.#gathered.get(name)
    if (known) return known
    const gathered = this.#turn.then(() =>
      gather(tensor, (target, position) => this.source.read(target, position, what)),
    )
    this.#turn = gathered.catch(() => {})
    this.#gathered.set(name, gathered)
    return gathered
  }
}
