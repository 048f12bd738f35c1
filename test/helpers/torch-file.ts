// Files of torch.save, made piece by piece, so that every piece can lie.
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { OPCODE_NAMES } from '../../lib/io/pickle-opcodes.js'
import { openSafetensors } from '../../lib/io/safetensors.js'

/** An opcode with its arguments: `['GLOBAL', 'torch', 'FloatStorage']`, `['BININT1', 3]`, `['MARK']`; RAW are bytes, as Latin-1. */
export type Op = readonly [string, ...unknown[]]

const codes = new Map([...OPCODE_NAMES].map(([code, name]) => [name, code]))

/** The bytes of a pickle. What is no opcode is left out. */
export function assemble(program: readonly unknown[]): Buffer {
  return Buffer.concat(program.map((op) => (Array.isArray(op) ? assembled(op) : Buffer.of())))
}

function assembled([name, first, second]: readonly unknown[]): Buffer {
  if (name === 'RAW') return Buffer.from(String(first), 'latin1')
  const code = codes.get(String(name))
  if (code === undefined) return Buffer.of()
  const argument = (): Buffer => {
    switch (name) {
      case 'GLOBAL':
        return Buffer.from(`${first}\n${second}\n`)
      case 'BINUNICODE': {
        const text = Buffer.from(String(first))
        return Buffer.concat([integer(second ?? text.length, 4), text])
      }
      case 'LONG1': {
        const bytes = integer(first, 8)
        return Buffer.concat([Buffer.of(Number(second ?? 8) & 255), bytes])
      }
      case 'PROTO':
      case 'BININT1':
      case 'BINPUT':
      case 'BINGET':
        return integer(first, 1)
      case 'BININT2':
        return integer(first, 2)
      case 'BININT':
      case 'LONG_BINPUT':
      case 'LONG_BINGET':
        return integer(first, 4)
      default:
        return Buffer.of()
    }
  }
  return Buffer.concat([Buffer.of(code), argument()])
}

/** The low bytes of a whole number, little-endian; of anything else, those of 0. */
function integer(value: unknown, size: number): Buffer {
  const bytes = Buffer.alloc(8)
  const number = typeof value === 'number' && Number.isFinite(value) ? Math.trunc(value) : 0
  bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(number)))
  return bytes.subarray(0, size)
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
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  let at = 0
  const add = (...more: Uint8Array[]) => {
    for (const part of more) {
      parts.push(Buffer.from(part))
      at += part.length
    }
  }
  for (const entry of entries) {
    const { data } = entry
    const name = Buffer.from(entry.name)
    const localName = Buffer.from(String(entry.localName ?? entry.name))
    const header = entry.header ?? at
    const [size, packed] = [entry.size ?? data.length, entry.packed ?? entry.size ?? data.length]
    const padding = Buffer.alloc((64 - ((at + 30 + localName.length) % 64)) % 64, 'Z')
    add(
      fields(
        'PK\x03\x04',
        [2, 0],
        [2, entry.flags ?? 0x808],
        [2, entry.localMethod ?? 0],
        [4, 0],
        [4, 0],
        [4, size],
        [4, size],
      ),
    )
    add(fields('', [2, localName.length], [2, padding.length]), localName, padding, data)
    const isWide = entry.wide === true
    const extra = isWide ? fields('', [2, 1], [2, 24], [8, size], [8, packed], [8, header]) : Buffer.of()
    const [shortSize, shortPacked, shortHeader] = isWide ? [ELSEWHERE, ELSEWHERE, ELSEWHERE] : [size, packed, header]
    directory.push(
      fields(
        'PK\x01\x02',
        [2, 0],
        [2, 0],
        [2, entry.flags ?? 0x808],
        [2, entry.method ?? 0],
        [4, 0],
        [4, 0],
        [4, shortPacked],
      ),
      fields('', [4, shortSize], [2, name.length], [2, extra.length], [2, 0], [2, 0], [2, 0], [4, 0], [4, shortHeader]),
      name,
      extra,
    )
  }
  const [count, start, bytes] = [
    end.count ?? entries.length,
    end.start ?? at,
    end.bytes ?? Buffer.concat(directory).length,
  ]
  add(...directory)
  const record = at
  add(fields('PK\x06\x06', [8, 44], [2, 0], [2, 0], [4, 0], [4, 0], [8, count], [8, count], [8, bytes], [8, start]))
  add(fields('PK\x06\x07', [4, 0], [8, end.record ?? record], [4, 1]))
  add(fields('PK\x05\x06', [2, 0], [2, 0], [2, count], [2, count], [4, bytes], [4, start], [2, 0]))
  return Buffer.concat(parts)
}

/** @param mark the signature of a record; '' for none */
function fields(mark: string, ...values: readonly (readonly [size: number, value: unknown])[]): Buffer {
  return Buffer.concat([Buffer.from(mark, 'latin1'), ...values.map(([size, value]) => integer(value, size))])
}

/** The entries of a file of torch.save: a pickle, and storages by their keys. */
export function torchEntries(pickle: Uint8Array, storages: Readonly<Record<string, Uint8Array>>): Entry[] {
  const text = (name: string, data: string) => ({ name: `model/${name}`, data: Buffer.from(data) })
  const data = Object.entries(storages).map(([key, data]) => ({ name: `model/data/${key}`, data }))
  return [{ name: 'model/data.pkl', data: pickle }, text('byteorder', 'little'), ...data, text('version', '3\n')]
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
