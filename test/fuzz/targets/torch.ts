import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ByteSource, Shard } from '../../../lib/io/shards.js'
import { openTensorFile } from '../../../lib/io/tensor-file.js'
import { parseTorchFile } from '../../../lib/io/torch-file.js'
import {
  assemble,
  type End,
  type Entry,
  type Pickled,
  stateProgram,
  storedEntries,
  textOf,
  zipOf,
} from '../../helpers/torch-file.js'
import { bytesOf, changedFiles, type Files, type Json } from '../case.js'
import { expect } from '../judge.js'
import { byteEdit, fileEdits } from '../mutate.js'
import type { Random } from '../random.js'
import type { Target } from './target.js'

const tensors: Record<string, Pickled> = {
  a: { shape: [2, 3], strides: [3, 1] },
  transposed: { shape: [3, 2], strides: [1, 3] },
  'b.weight': { type: 'HalfStorage', key: '1', elements: 20, offset: 2, shape: [2, 2, 2], strides: [8, 2, 1] },
  c: { type: 'LongStorage', key: '2', elements: 3, shape: [1, 3], strides: [3, 1] },
  none: { type: 'BoolStorage', key: '3', elements: 0, shape: [0, 4], strides: [4, 1] },
}
const metadata = [['EMPTY_DICT'], ['BINUNICODE', '_metadata'], ['EMPTY_DICT'], ['SETITEM'], ['BUILD']]
const program = stateProgram(tensors).flatMap((op) => (op[0] === 'STOP' ? [...metadata, op] : [op]))
const bytes = (length: number) => Buffer.from(Array.from({ length }, (_, i) => i))
const entries = [
  { name: 'm/data.pkl', of: 'pickle' },
  { name: 'm/byteorder', of: 'order' },
  ...[0, 1, 2, 3].map((key) => ({ name: `m/data/${key}`, of: `data.${key}`, wide: key === 1 })),
  { name: 'm/version', of: 'order' },
]
const weight_map = { a: 'first.bin', b: 'second.bin' }
/** Files that Python wrote, and their entries. */
const golden = ['views', 'module', 'dtypes'].map((name) => {
  const whole = readFileSync(new URL(`../../../../test/parity/golden/torch/${name}.bin`, import.meta.url))
  return { name, whole, entries: storedEntries(whole) }
})

/** A file is made of the opcodes of its pickle, the headers of its archive and its storages, or is one that Python wrote. */
const files: Files = {
  pickle: program as unknown as Json,
  archive: { entries, end: {} } as unknown as Json,
  order: Buffer.from('little'),
  ...{ 'data.0': bytes(24), 'data.1': bytes(40), 'data.2': bytes(24), 'data.3': Buffer.of() },
  index: { metadata: {}, weight_map },
  ...Object.fromEntries(golden.map(({ name, whole }) => [`${name}.bin`, whole])),
  ...Object.fromEntries(golden.map(({ name, entries }) => [`${name}.pickle`, Buffer.from(entries[0]!.data)])),
}
const unedited = { pickle: assemble(program), archive: made(assemble(program), entries, {}) }
const parts = ['pickle', 'pickle', 'pickle', 'pickle', 'archive', 'archive', 'data.0']
const words = [
  'MARK TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_TUPLE EMPTY_DICT SETITEM SETITEMS BUILD REDUCE BINPERSID GLOBAL BINGET',
  'LONG_BINPUT NEWOBJ STACK_GLOBAL NEWTRUE NONE STOP LONG1 RAW torch FloatStorage QInt8Storage torch._utils',
  '_rebuild_parameter _rebuild_tensor_v2 os system collections OrderedDict storage cpu m/data.pkl m/data/0 order',
  'm/constants.pkl second.bin wide',
]
const tokens: Json[] = [
  ...words.flatMap((line) => line.split(' ')),
  ...[['STOP'], ['NONE'], ['MARK'], ['TUPLE'], ['REDUCE'], ['EMPTY_TUPLE'], ['BINGET', 0], ['BINPUT', 0], ['BUILD']],
  ...[
    ['GLOBAL', 'torch', 'ByteStorage'],
    ['GLOBAL', 'torch._utils', '_rebuild_parameter'],
    ['RAW', ')'.repeat(3000)],
  ],
  ...[
    ['LONG1', 2 ** 40],
    ['LONG1', -1],
    ['BININT', -1],
    ['BINUNICODE', 'x', 2 ** 31],
  ],
]
/** Bytes that mean something in a pickle or an archive. */
const marks = [
  '(',
  't',
  ')',
  'R',
  '}',
  's',
  'u',
  'q\0',
  'h\0',
  'ctorch\nFloatStorage\n',
  '\x85',
  'Q',
  'K\x02',
  'PK\x01\x02',
  '.',
]
/** Bytes of tensors that are read of one file: it is for their places, not for their number. */
const MOST_READ = 4 * 2 ** 20

/** A file of torch.save, or the index of two. */
export const torch: Target = {
  warm: { base: 'index', edits: [] },

  make(random) {
    if (random.oneIn(3)) return pythonCase(random)
    const base = random.oneIn(100) ? 'index' : 'made'
    const names = random.oneIn(30) ? ['order'] : base === 'index' ? [...parts, 'index'] : parts
    return { base, edits: fileEdits(random, files, names, tokens) }
  },

  async run({ base, edits }, folder) {
    const changed = changedFiles(files, edits)
    const part = (name: string): Uint8Array => {
      if (changed.has(name)) return changed.get(name) ?? Buffer.of()
      return Object.hasOwn(files, name) ? bytesOf(files[name]!) : Buffer.of()
    }
    const python = golden.find(({ name }) => name === base)
    const whole = python ? pythonFile(python, changed) : changed.size > 0 ? archive(part) : unedited.archive
    if (base !== 'index') {
      await check(await parseTorchFile(memory(whole)), whole.length)
      return
    }
    writeFileSync(join(folder, 'first.bin'), whole)
    writeFileSync(join(folder, 'second.bin'), zipOf(golden[1]!.entries))
    writeFileSync(join(folder, 'model.bin.index.json'), part('index'))
    const file = await openTensorFile(join(folder, 'model.bin.index.json'))
    await check(file, whole.length * 4).finally(() => file.close())
  },
}

/** Bytes of a file of Python: those of its pickle, or of all of it without making it longer, which its end would tell at once. */
function pythonCase(random: Random) {
  const { name, whole } = random.pick(golden)
  const file = `${name}.${random.oneIn(2) ? 'bin' : 'pickle'}`
  const edits = random.some(1, 4, () => {
    const edit = byteEdit(random, file, file.endsWith('.bin') ? whole : bytesOf(files[file]!), marks)
    const isSame = 'byte' in edit && file.endsWith('.bin') && !random.oneIn(20)
    return isSame ? { ...edit, times: 1, put: edit.put || '\0', cut: edit.put.length || 1 } : edit
  })
  return { base: name, edits }
}

function pythonFile(
  { name, whole, entries }: (typeof golden)[number],
  changed: ReadonlyMap<string, Uint8Array | null>,
): Buffer {
  const pickle = changed.get(`${name}.pickle`)
  if (pickle) return zipOf(entries.map((entry, i) => (i === 0 ? { ...entry, data: pickle } : entry)))
  return Buffer.from(changed.get(`${name}.bin`) ?? whole)
}

/** A file without a disk. */
function memory(bytes: Uint8Array): ByteSource {
  return {
    path: 'memory.bin',
    file: -1,
    size: bytes.length,
    async read(target, position) {
      expect(position >= 0 && position + target.length <= bytes.length, 'nothing is read outside of the file')
      target.set(bytes.subarray(position, position + target.length))
    },
    async close() {},
  }
}

/** Everything that the file is said to hold is there. */
async function check(file: Pick<Shard, 'tensors' | 'readInto'>, size: number): Promise<void> {
  let total = 0
  for (const [name, { shape, byteLength }] of file.tensors) {
    expect(
      shape.every((n) => Number.isSafeInteger(n) && n >= 0),
      'a shape is of whole numbers',
    )
    total += byteLength
    if (total <= MOST_READ) await file.readInto(name, 0, new Uint8Array(byteLength))
  }
  expect(total <= 3 * size + 2 ** 24, 'tensors are no more than a few times their file')
}

/** An archive of parts that may be anything. */
function archive(part: (name: string) => Uint8Array): Buffer {
  const parsed = (name: string): unknown => {
    try {
      return JSON.parse(Buffer.from(part(name)).toString())
    } catch {
      return undefined
    }
  }
  const ops = parsed('pickle')
  const pickle = Array.isArray(ops) ? assemble(ops) : Buffer.from(part('pickle'))
  const { entries, end } = (parsed('archive') ?? {}) as { entries?: unknown; end?: End | null }
  return made(pickle, Array.isArray(entries) ? entries : [], typeof end === 'object' ? (end ?? {}) : {}, part)
}

function made(
  pickle: Buffer,
  entries: readonly unknown[],
  end: End,
  part = (name: string) => bytesOf(files[name]!),
): Buffer {
  const list = entries.filter((entry) => typeof entry === 'object' && entry !== null) as (Entry & { of?: unknown })[]
  return zipOf(
    list.map(({ of, ...entry }) => ({
      ...entry,
      name: textOf(entry.name),
      data: of === 'pickle' ? pickle : part(textOf(of)),
    })),
    end,
  )
}
