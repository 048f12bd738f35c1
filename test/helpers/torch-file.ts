// Files of torch.save, made piece by piece, so that every piece can lie.
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { OPCODE_NAMES } from '../../lib/io/pickle-opcodes.js'
import { openSafetensors } from '../../lib/io/safetensors.js'

/** An opcode with its arguments: `['GLOBAL', 'torch', 'FloatStorage']`, `['BININT1', 3]`, `['MARK']`; RAW are bytes, as Latin-1. */
export type Op = readonly [string, ...unknown[]]

const codes = new Map([...OPCODE_NAMES].map(([code, name]) => [name, code]))

/** Collects bytes. */
class Bytes {
  #buffer = Buffer.alloc(4096)
  length = 0

  add(part: Uint8Array): this {
    const room = this.#room(part.length)
    this.#buffer.set(part, room)
    return this
  }

  text(text: string, encoding: BufferEncoding = 'utf8'): this {
    return text.length < 64 && /^[\0-\x7f]*$/.test(text) ? this.#ascii(text) : this.add(Buffer.from(text, encoding))
  }

  /** The low bytes of a whole number, little-endian; of anything else, those of 0. */
  integer(value: unknown, size: number): this {
    let rest = typeof value === 'number' && Number.isFinite(value) ? Math.trunc(value) : 0
    for (let i = 0, at = this.#room(size); i < size; i++) {
      const byte = ((rest % 256) + 256) % 256
      this.#buffer[at + i] = byte
      rest = (rest - byte) / 256
    }
    return this
  }

  fields(...fields: readonly (readonly [size: number, value: unknown])[]): this {
    for (const [size, value] of fields) this.integer(value, size)
    return this
  }

  whole(): Buffer {
    return Buffer.from(this.#buffer.subarray(0, this.length))
  }

  #ascii(text: string): this {
    const at = this.#room(text.length)
    for (let i = 0; i < text.length; i++) this.#buffer[at + i] = text.charCodeAt(i)
    return this
  }

  /** Makes room. @returns where it begins */
  #room(size: number): number {
    const start = this.length
    this.length += size
    if (this.length > this.#buffer.length) {
      const larger = Buffer.alloc(2 * this.length)
      larger.set(this.#buffer)
      this.#buffer = larger
    }
    return start
  }
}

/** The bytes of a pickle. What is no opcode is left out. */
export function assemble(program: readonly unknown[]): Buffer {
  const bytes = new Bytes()
  for (const op of program) if (Array.isArray(op)) add(bytes, op)
  return bytes.whole()
}

const argumentBytes: Readonly<Record<string, number>> = {
  ...{ PROTO: 1, BININT1: 1, BINPUT: 1, BINGET: 1, BININT2: 2, BININT: 4, LONG_BINPUT: 4, LONG_BINGET: 4 },
}

function add(bytes: Bytes, [name, first, second]: readonly unknown[]): void {
  if (name === 'RAW') {
    bytes.text(textOf(first), 'latin1')
    return
  }
  const code = codes.get(textOf(name))
  if (code === undefined) return
  bytes.integer(code, 1)
  if (name === 'GLOBAL') bytes.text(textOf(first)).text('\n').text(textOf(second)).text('\n')
  else if (name === 'BINUNICODE') {
    const text = textOf(first)
    bytes.integer(second ?? Buffer.byteLength(text), 4).text(text)
  } else if (name === 'LONG1') bytes.integer(second ?? 8, 1).integer(first, 8)
  else bytes.integer(first, argumentBytes[name as string] ?? 0)
}

/** Whatever a name is given as. */
export function textOf(value: unknown): string {
  try {
    return typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
  } catch {
    return ''
  }
}

export interface Pickled {
  /** `FloatStorage`. */
  type?: string
  key?: unknown
  elements?: unknown
  offset?: unknown
  shape: readonly unknown[]
  strides: readonly unknown[]
}

const value = (given: unknown): Op => {
  if (typeof given === 'string') return ['BINUNICODE', given]
  if (typeof given === 'number' && given >= 0 && given < 256) return ['BININT1', given]
  return typeof given === 'number' ? ['LONG1', given] : ['NONE']
}
const tuple = (items: readonly unknown[]): Op[] => [['MARK'], ...items.map(value), ['TUPLE']]
const ORDERED_DICT: Op[] = [['GLOBAL', 'collections', 'OrderedDict'], ['EMPTY_TUPLE'], ['REDUCE']]

/** The program that makes a tensor. */
export function tensorProgram({
  type = 'FloatStorage',
  key = '0',
  elements = 6,
  offset = 0,
  shape,
  strides,
}: Pickled): Op[] {
  const storage: Op[] = [
    ['MARK'],
    value('storage'),
    ['GLOBAL', 'torch', type],
    value(key),
    value('cpu'),
    value(elements),
    ['TUPLE'],
  ]
  const rest: Op[] = [value(offset), ...tuple(shape), ...tuple(strides), ['NEWFALSE'], ...ORDERED_DICT]
  return [
    ['GLOBAL', 'torch._utils', '_rebuild_tensor_v2'],
    ['MARK'],
    ...storage,
    ['BINPERSID'],
    ...rest,
    ['TUPLE'],
    ['REDUCE'],
  ]
}

/** The program of a state dict, as torch.save writes it. */
export function stateProgram(tensors: Readonly<Record<string, Pickled>>): Op[] {
  const items = Object.entries(tensors).flatMap(([name, tensor]) => [value(name), ...tensorProgram(tensor)])
  return [['PROTO', 2], ...ORDERED_DICT, ['BINPUT', 0], ['MARK'], ...items, ['SETITEMS'], ['STOP']]
}

/** An entry, with what its headers say of it where that is not the truth. */
export interface Entry {
  name: string
  data: Uint8Array
  localName?: unknown
  size?: unknown
  packed?: unknown
  header?: unknown
  method?: unknown
  localMethod?: unknown
  flags?: unknown
  /** Sizes and place in a zip64 record. */
  wide?: unknown
}

/** What the end of an archive says where that is not the truth. */
export interface End {
  count?: unknown
  start?: unknown
  bytes?: unknown
  record?: unknown
}

const ELSEWHERE = 0xffffffff

/** An archive like those of torch.save: entries as they are, and a zip64 record. */
export function zipOf(entries: readonly Entry[], end: End = {}): Buffer {
  const file = new Bytes()
  const directory = new Bytes()
  for (const entry of entries) {
    const { data } = entry
    const [name, localName] = [Buffer.from(entry.name), Buffer.from(textOf(entry.localName ?? entry.name))]
    const header = entry.header ?? file.length
    const [size, flags] = [entry.size ?? data.length, entry.flags ?? 0x808]
    const packed = entry.packed ?? size
    const padding = 63 - ((file.length + 29 + localName.length) % 64)
    file.text('PK\x03\x04').fields([2, 0], [2, flags], [2, entry.localMethod ?? 0], [8, 0], [4, size], [4, size])
    file.fields([2, localName.length], [2, padding]).add(localName).add(Buffer.alloc(padding, 'Z')).add(data)
    const isWide = entry.wide === true
    const short = (value: unknown) => (isWide ? ELSEWHERE : value)
    directory.text('PK\x01\x02').fields([4, 0], [2, flags], [2, entry.method ?? 0], [8, 0], [4, short(packed)])
    directory.fields([4, short(size)], [2, name.length], [2, isWide ? 28 : 0], [2, 0], [2, 0], [2, 0], [4, 0])
    directory.fields([4, short(header)]).add(name)
    if (isWide) directory.fields([2, 1], [2, 24], [8, size], [8, packed], [8, header])
  }
  const [count, start, bytes] = [end.count ?? entries.length, end.start ?? file.length, end.bytes ?? directory.length]
  file.add(directory.whole())
  const record = end.record ?? file.length
  file.text('PK\x06\x06').fields([8, 44], [4, 0], [8, 0], [8, count], [8, count], [8, bytes], [8, start])
  file.text('PK\x06\x07').fields([4, 0], [8, record], [4, 1])
  file.text('PK\x05\x06').fields([4, 0], [2, count], [2, count], [4, bytes], [4, start], [2, 0])
  return file.whole()
}

/** The entries of a file of torch.save: a pickle, and storages by their keys. */
export function torchEntries(pickle: Uint8Array, storages: Readonly<Record<string, Uint8Array>>): Entry[] {
  const text = (name: string, data: string) => ({ name: `model/${name}`, data: Buffer.from(data) })
  const data = Object.entries(storages).map(([key, data]) => ({ name: `model/data/${key}`, data }))
  return [{ name: 'model/data.pkl', data: pickle }, text('byteorder', 'little'), ...data, text('version', '3\n')]
}

/** The entries of an archive that is whole, with their bytes. */
export function storedEntries(archive: Buffer): Entry[] {
  const entries: Entry[] = []
  for (let at = archive.indexOf('PK\x01\x02'); at >= 0; at = archive.indexOf('PK\x01\x02', at + 1)) {
    const [size, header] = [archive.readUInt32LE(at + 24), archive.readUInt32LE(at + 42)]
    const name = archive.toString('latin1', at + 46, at + 46 + archive.readUInt16LE(at + 28))
    const start = header + 30 + name.length + archive.readUInt16LE(header + 28)
    entries.push({ name, data: archive.subarray(start, start + size) })
  }
  return entries
}

/** A pytorch_model.bin of float32 tensors. */
export function torchFile(tensors: Readonly<Record<string, { shape: readonly number[]; data: Float32Array }>>): Buffer {
  const program: Record<string, Pickled> = {}
  const storages: Record<string, Uint8Array> = {}
  for (const [i, [name, { shape, data }]] of Object.entries(tensors).entries()) {
    const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, n) => product * n, 1))
    program[name] = { key: String(i), elements: data.length, shape, strides }
    storages[i] = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  }
  return zipOf(torchEntries(assemble(stateProgram(program)), storages))
}

/** Puts a pytorch_model.bin of the same tensors in the place of a folder's model.safetensors. */
export async function toTorchFile(folder: string): Promise<void> {
  const path = join(folder, 'model.safetensors')
  const file = await openSafetensors(path)
  const tensors: Record<string, { shape: readonly number[]; data: Float32Array }> = {}
  for (const [name, { shape }] of file.tensors) {
    tensors[name] = { shape, data: new Float32Array((await file.read(name)).buffer) }
  }
  await file.close()
  await writeFile(join(folder, 'pytorch_model.bin'), torchFile(tensors))
  await rm(path)
}
