// Files that look like those of torch.save, and lie. What torch itself writes is in test/parity/torch-files.test.ts.
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { gather, isContiguous } from '../../lib/io/strided.js'
import { openTensorFile } from '../../lib/io/tensor-file.js'
import {
  assemble,
  type End,
  type Entry,
  type Op,
  type Pickled,
  stateProgram,
  torchEntries,
  zipOf,
} from '../helpers/torch-file.js'

const folder = mkdtempSync(join(tmpdir(), 'torch-file-test-'))
test.after.always(() => rmSync(folder, { recursive: true, force: true }))
let count = 0
const numbers = Buffer.from(new Float32Array([0, 1, 2, 3, 4, 5]).buffer)
const plain: Pickled = { shape: [2, 3], strides: [3, 1] }
const whole = stateProgram({ a: plain })
const DAMAGED = 'ERR_INVALID_FILE'
const REFUSED = 'ERR_UNSUPPORTED'

function fileOf(bytes: Uint8Array): string {
  const path = join(folder, `${count++}.bin`)
  writeFileSync(path, bytes)
  return path
}

const entriesOf = (program: readonly unknown[], storages: Record<string, Uint8Array> = { 0: numbers }) =>
  torchEntries(assemble(program), storages)

async function refused(t: ExecutionContext, bytes: Uint8Array, code: string, message: RegExp): Promise<void> {
  const path = fileOf(bytes)
  const error = await t.throwsAsync(openTensorFile(path), { code, message })
  t.true(error?.message.startsWith(path))
  t.true((error?.message.length ?? 0) < 1500, error?.message)
}

async function floats(bytes: Uint8Array, name = 'a'): Promise<number[]> {
  const file = await openTensorFile(fileOf(bytes))
  try {
    const read = await file.read(name)
    return [...new Float32Array(read.buffer)]
  } finally {
    await file.close()
  }
}

test('a file of these helpers is one of torch.save', async (t) => {
  t.deepEqual(await floats(zipOf(entriesOf(whole))), [0, 1, 2, 3, 4, 5])
  const wide = entriesOf(whole).map((entry) => ({ ...entry, wide: true }))
  t.deepEqual(await floats(zipOf(wide)), [0, 1, 2, 3, 4, 5])
})

const tensors: [string, Pickled, string, RegExp][] = [
  [
    'longer than its storage',
    { ...plain, shape: [2, 4] },
    DAMAGED,
    /\[2,4\] with strides \[3,1\] from 0 on lies outside the 6/,
  ],
  ['behind its storage', { ...plain, offset: 1 }, DAMAGED, /from 1 on lies outside/],
  ['far behind it', { ...plain, offset: 2 ** 52 }, DAMAGED, /from 4503599627370496 on lies outside/],
  ['strides that overflow', { ...plain, strides: [2 ** 52, 2 ** 52] }, DAMAGED, /lies outside/],
  ['a negative stride', { ...plain, strides: [-3, 1] }, DAMAGED, /impossible shape/],
  ['a negative offset', { ...plain, offset: -1 }, DAMAGED, /offset of a tensor is no count/],
  ['a negative size', { ...plain, shape: [-2, -3] }, DAMAGED, /impossible shape/],
  ['sizes whose product overflows', { shape: [2 ** 40, 2 ** 40], strides: [0, 0] }, DAMAGED, /impossible shape/],
  ['fewer strides than sizes', { ...plain, strides: [1] }, DAMAGED, /impossible shape/],
  ['a size that is a text', { ...plain, shape: ['2', 3] }, DAMAGED, /impossible shape/],
  ['65 dimensions', { shape: Array(65).fill(1), strides: Array(65).fill(1) }, DAMAGED, /impossible shape/],
  [
    'one number, repeated for ever',
    { shape: [2 ** 40], strides: [0], elements: 1 },
    DAMAGED,
    /4398046511104 bytes, with \d+ bytes/,
  ],
  [
    'a storage that is longer than its entry',
    { ...plain, elements: 7 },
    DAMAGED,
    /data\/0 has 24 bytes, but the storage of "a" has 28/,
  ],
  ['a storage as long as numbers reach', { ...plain, elements: 2 ** 53 - 1 }, DAMAGED, /has 24 bytes, but the storage/],
  ['a storage of negative length', { ...plain, elements: -1 }, DAMAGED, /a storage has -1 elements/],
  ['a storage that is not there', { ...plain, key: '../../x' }, DAMAGED, /data\/\.\.\/\.\.\/x, which is not there/],
  ['a key that is a number', { ...plain, key: 0 }, REFUSED, /no storage of a tensor/],
  ['a type of element that there is not', { ...plain, type: 'QInt8Storage' }, REFUSED, /"torch\.QInt8Storage"/],
]

for (const [what, tensor, code, message] of tensors) {
  test(`a tensor: ${what}`, (t) => refused(t, zipOf(entriesOf(stateProgram({ a: tensor }))), code, message))
}

const proto: Op = ['PROTO', 2]
const stop: Op = ['STOP']
const many = <T>(length: number, item: T): T[] => Array.from({ length }, () => item)
const pickles: [string, Op[], string, RegExp][] = [
  ['no bytes', [], DAMAGED, /it breaks off, at byte 0/],
  ['no beginning', [['NONE'], stop], DAMAGED, /does not begin with PROTO/],
  ['another protocol', [['PROTO', 5], stop], REFUSED, /protocol 5, expected 2/],
  ['nothing', [proto, stop], DAMAGED, /stops before its end/],
  ['more than one value', [proto, ['NONE'], ['NONE'], stop], DAMAGED, /stops before its end/],
  ['bytes behind the end', [proto, ['EMPTY_DICT'], stop, ['NONE']], DAMAGED, /stops before its end/],
  ['an open mark', [proto, ['EMPTY_DICT'], ['MARK'], stop], DAMAGED, /stops before its end/],
  ['no end', [proto, ['EMPTY_DICT']], DAMAGED, /breaks off/],
  ['a byte that is no opcode', [proto, ['RAW', '\xff'], stop], DAMAGED, /0xff is no opcode/],
  ['an empty stack', [proto, ['TUPLE2'], stop], DAMAGED, /its stack is empty/],
  ['an empty stack above a mark', [proto, ['NONE'], ['MARK'], ['TUPLE1'], stop], DAMAGED, /its stack is empty/],
  ['no mark', [proto, ['NONE'], ['TUPLE'], stop], DAMAGED, /there is no MARK/],
  ['what was never kept', [proto, ['BINGET', 7], stop], DAMAGED, /nothing was kept as 7/],
  ['nothing to keep', [proto, ['LONG_BINPUT', 2 ** 31], stop], DAMAGED, /its stack is empty/],
  ['a text that breaks off', [proto, ['BINUNICODE', 'abc', 4_000_000_000], stop], DAMAGED, /breaks off/],
  ['a text that is no UTF-8', [proto, ['RAW', 'X\x02\0\0\0\xc3\x28'], stop], DAMAGED, /no UTF-8/],
  ['a number too large', [proto, ['LONG1', 2 ** 62], stop], DAMAGED, /too large/],
  ['a number far too large', [proto, ['RAW', `\x8a\xff${'\x7f'.repeat(255)}`], stop], DAMAGED, /too large/],
  ['a name without end', [proto, ['RAW', `c${'x'.repeat(5000)}`]], DAMAGED, /breaks off/],
  ['a long name', [proto, ['GLOBAL', 'os', 'x'.repeat(5000)], stop], REFUSED, /calls for "os\.x{54}\.\.\."/],
  ['a name with a quote', [proto, ['GLOBAL', 'o"s', 'system'], stop], REFUSED, /calls for "o\\"s\.system"/],
  ['items of what takes none', [proto, ['NONE'], ['MARK'], ['SETITEMS'], stop], DAMAGED, /None takes no items/],
  [
    'a key without a value',
    [proto, ['EMPTY_DICT'], ['MARK'], ['NONE'], ['SETITEMS'], stop],
    DAMAGED,
    /a key has no value/,
  ],
  [
    'a key that is a number',
    [proto, ['EMPTY_DICT'], ['BININT1', 1], ['NONE'], ['SETITEM'], stop],
    REFUSED,
    /value 1 as a key/,
  ],
  [
    'a call of a tuple',
    [proto, ['EMPTY_TUPLE'], ['EMPTY_TUPLE'], ['REDUCE'], stop],
    DAMAGED,
    /a tuple of 0 cannot be called/,
  ],
  [
    'a call of a storage type',
    [proto, ['GLOBAL', 'torch', 'FloatStorage'], ['EMPTY_TUPLE'], ['REDUCE'], stop],
    DAMAGED,
    /FloatStorage cannot be/,
  ],
  [
    'items for an OrderedDict',
    [proto, ['GLOBAL', 'collections', 'OrderedDict'], ['NONE'], ['TUPLE1'], ['REDUCE'], stop],
    REFUSED,
    /calls collections\.OrderedDict with what torch does not/,
  ],
  [
    'attributes for a dict',
    [proto, ['EMPTY_DICT'], ['EMPTY_DICT'], ['BUILD'], stop],
    REFUSED,
    /attributes to a dictionary/,
  ],
  [
    'attributes that are none',
    [proto, ['GLOBAL', 'collections', 'OrderedDict'], ['EMPTY_TUPLE'], ['REDUCE'], ['NONE'], ['BUILD'], stop],
    REFUSED,
    /attributes to a dictionary/,
  ],
  ['a storage that is none', [proto, ['NONE'], ['BINPERSID'], stop], REFUSED, /None outside of the pickle/],
  ['code of old', [proto, ['RAW', "cos\nsystem\n(S'true'\ntR."]], REFUSED, /"os\.system"/],
  ['a class of old', [proto, ['RAW', "(S'true'\nios\nsystem\n."]], REFUSED, /opcode STRING/],
  ['a new object', [proto, ['NONE'], ['NONE'], ['NEWOBJ'], stop], REFUSED, /opcode NEWOBJ \(0x81\)/],
  ['a name from the stack', [proto, ['NONE'], ['NONE'], ['STACK_GLOBAL'], stop], REFUSED, /opcode STACK_GLOBAL/],
  ['more values than there may be', [proto, ['RAW', '}'.repeat(1_100_000)]], REFUSED, /more than 1000000 values/],
  ['more marks', [proto, ['RAW', '('.repeat(1_100_000)]], REFUSED, /more than 1000000 values/],
  ['more that is kept', [proto, ['NONE'], ['RAW', 'q\0'.repeat(1_100_000)]], REFUSED, /more than 1000000 values/],
  [
    'more bytes than there may be',
    [proto, ['RAW', '}'.repeat(9_000_000)]],
    DAMAGED,
    /data\.pkl has 900000\d bytes \(at most 8388608/,
  ],
  [
    'a tensor twice',
    [...whole.slice(0, -2), ...stateProgram({ a: plain }).slice(6)],
    DAMAGED,
    /tensor "a" comes twice/,
  ],
]

for (const [what, program, code, message] of pickles) {
  test(`a pickle: ${what}`, (t) => refused(t, zipOf(entriesOf(program)), code, message))
}

test('a pickle that is nested deep, or holds itself, is no more than a pickle that does not fit', async (t) => {
  const deep: Op[] = [proto, ['EMPTY_DICT'], ...many<Op>(300_000, ['TUPLE1']), stop]
  await refused(t, zipOf(entriesOf(deep)), REFUSED, /holds a tuple of 1 instead/)
  const own: Op[] = [proto, ['EMPTY_DICT'], ['BINPUT', 0], ['BINUNICODE', 'a'], ['BINGET', 0], ['SETITEM'], stop]
  await refused(t, zipOf(entriesOf(own)), REFUSED, /holds a dictionary of 1 as "a"/)
})

test('metadata of the dictionary is read and left alone', async (t) => {
  const metadata: Op[] = [['EMPTY_DICT'], ['BINUNICODE', '_metadata'], ['EMPTY_DICT'], ['SETITEM'], ['BUILD'], stop]
  t.deepEqual(await floats(zipOf(entriesOf([...whole.slice(0, -1), ...metadata]))), [0, 1, 2, 3, 4, 5])
})

const change = (index: number, changes: Partial<Entry>) => (entries: Entry[]) =>
  entries.map((entry, i) => (i === index ? { ...entry, ...changes } : entry))
const archives: [string, (entries: Entry[]) => Entry[], End, string, RegExp][] = [
  [
    'an entry behind the end',
    change(2, { header: 2 ** 20 }),
    {},
    DAMAGED,
    /"model\/data\/0" begins behind the entries/,
  ],
  ['an entry at a place that overflows', change(2, { header: -1, wide: true }), {}, DAMAGED, /impossible zip64 sizes/],
  [
    'an entry longer than the file',
    change(2, { size: 2 ** 20 }),
    {},
    DAMAGED,
    /has 1048576 bytes, of which the file holds/,
  ],
  [
    'an entry longer than any file',
    change(2, { size: 2 ** 50, wide: true }),
    {},
    DAMAGED,
    /has 1125899906842624 bytes, of/,
  ],
  ['an entry that is another one', change(2, { header: 0 }), {}, DAMAGED, /has another name there/],
  ['an entry without header', change(2, { header: 1 }), {}, DAMAGED, /no header of its own/],
  ['an entry of another name', change(2, { localName: 'model/data/1' }), {}, DAMAGED, /has another name there/],
  ['a packed entry', change(2, { method: 8 }), {}, REFUSED, /"model\/data\/0" packed/],
  ['a packed entry, by its own word', change(2, { localMethod: 8 }), {}, DAMAGED, /packed, says its own header/],
  ['an entry of two sizes', change(0, { packed: 5 }), {}, REFUSED, /"model\/data\.pkl" packed/],
  ['an encrypted entry', change(0, { flags: 1 }), {}, REFUSED, /packed/],
  ['a name twice', (entries) => [...entries, entries[0]!], {}, DAMAGED, /"model\/data\.pkl" twice/],
  ['no pickle', (entries) => entries.slice(1), {}, DAMAGED, /has no "model\/data\.pkl"/],
  ['a pickle in another folder', change(0, { name: 'other/data.pkl' }), {}, DAMAGED, /data\/0, which is not there/],
  ['a byte order of megabytes', change(1, { data: Buffer.alloc(2 ** 21) }), {}, DAMAGED, /byteorder has 2097152 bytes/],
  ['no entries', () => [], {}, DAMAGED, /no zip archive/],
  ['too many entries', (entries) => entries, { count: 2 ** 40 }, DAMAGED, /1099511627776 entries/],
  ['more entries than there are', (entries) => entries, { count: 5 }, DAMAGED, /breaks off/],
  ['fewer entries', (entries) => entries, { count: 3 }, DAMAGED, /3 entries ends at byte/],
  ['a directory elsewhere', (entries) => entries, { start: 0 }, DAMAGED, /expected to end at/],
  ['a directory of another length', (entries) => entries, { bytes: 2 ** 60 }, DAMAGED, /expected to end at/],
  ['a record elsewhere', (entries) => entries, { record: 0 }, DAMAGED, /zip64 record is said to be at byte 0/],
]

for (const [what, changed, end, code, message] of archives) {
  test(`an archive: ${what}`, (t) => refused(t, zipOf(changed(entriesOf(whole)), end), code, message))
}

test('a file that is cut off, begins otherwise or is nothing', async (t) => {
  const bytes = zipOf(entriesOf(whole))
  for (const length of [10, 22, 42, bytes.length - 22, bytes.length - 1]) {
    await refused(t, bytes.subarray(0, length), DAMAGED, /zip/)
  }
  await refused(t, Buffer.concat([bytes, Buffer.from('x')]), DAMAGED, /does not end as a zip archive/)
  await refused(t, Buffer.from('version https://git-lfs.github.com/spec/v1\n'), DAMAGED, /no zip archive/)
  await refused(t, Buffer.of(), DAMAGED, /no zip archive/)
})

test('a storage of many names, as long as that is no way to make much of little', async (t) => {
  const shared = Object.fromEntries(many(1000, 0).map((_, i) => [`t${i}`, plain]))
  const file = await openTensorFile(fileOf(zipOf(entriesOf(stateProgram(shared)))))
  t.is(file.tensors.size, 1000)
  t.deepEqual([...new Float32Array((await file.read('t999')).buffer)], [0, 1, 2, 3, 4, 5])
  await file.close()
  const crowd = Object.fromEntries(
    many(300, 0).map((_, i) => [`t${i}`, { shape: [65536], strides: [1], elements: 65536 }]),
  )
  const bytes = zipOf(entriesOf(stateProgram(crowd), { 0: Buffer.alloc(65536 * 4) }))
  await refused(t, bytes, DAMAGED, /its tensors have 78643200 bytes, with \d+ bytes in the file/)
})

test('an archive beyond 4 GiB', async (t) => {
  const elements = 1.25 * 2 ** 30
  const pickle = assemble(stateProgram({ a: { shape: [3, 2], strides: [2 ** 29, 1], offset: 7, elements } }))
  const entries = torchEntries(pickle, {})
  entries.push({ name: 'model/data/0', data: Buffer.of(), size: elements * 4, wide: true })
  // The storage is a hole between its header and the directory.
  const draft = zipOf(entries)
  const [directory, record] = [draft.indexOf('PK\x01\x02'), draft.indexOf('PK\x06\x06')]
  const bytes = zipOf(entries, { start: directory + elements * 4, record: record + elements * 4 })
  const path = fileOf(bytes.subarray(0, directory))
  const file = openSync(path, 'r+')
  writeSync(file, bytes, directory, bytes.length - directory, directory + elements * 4)
  for (const [place, value] of [
    [7, 1],
    [8, 2],
    [7 + 2 ** 29, 3],
    [8 + 2 ** 29, 4],
    [7 + 2 ** 30, 5],
    [8 + 2 ** 30, 6],
  ] as const) {
    writeSync(file, Buffer.from(new Float32Array([value]).buffer), 0, 4, directory + place * 4)
  }
  closeSync(file)
  const opened = await openTensorFile(path)
  t.deepEqual([...new Float32Array((await opened.read('a')).buffer)], [1, 2, 3, 4, 5, 6])
  await opened.close()
})

test('views are read in the order of their indices, in whatever order they lie', async (t) => {
  const stride = fc.oneof(fc.nat(9), fc.nat(300_000))
  const dimensions = fc.array(fc.record({ size: fc.nat(4), stride }), { maxLength: 4 })
  // Every byte tells its place: 4 dimensions of 3 steps of 300,000 elements, with 8 bytes each.
  const content = new Uint8Array(4 * 3 * 300_000 * 8 + 100).map((_, i) => i * 31 + (i >> 8) * 7 + (i >> 16))
  const itemBytes = fc.constantFrom<1 | 2 | 4 | 8>(1, 2, 4, 8)
  await fc.assert(
    fc.asyncProperty(dimensions, itemBytes, fc.nat(20), async (dims, itemBytes, position) => {
      const [shape, strides] = [dims.map(({ size }) => size), dims.map(({ stride }) => stride)]
      let most = 0
      const found = await gather({ shape, strides, itemBytes, position }, async (target, from) => {
        most = Math.max(most, target.length)
        target.set(content.subarray(from, from + target.length))
      })
      let places = [0]
      for (const { size, stride } of dims) {
        places = places.flatMap((place) => Array.from({ length: size }, (_, i) => place + i * stride))
      }
      const expected = places.flatMap((place) => {
        return [...content.subarray(position + place * itemBytes, position + (place + 1) * itemBytes)]
      })
      t.deepEqual([...found], expected)
      t.true(most <= 1024 * 1024)
    }),
    { numRuns: 300 },
  )
})

test('a view is contiguous whatever its strides along single indices', (t) => {
  t.true(isContiguous([], []))
  t.true(isContiguous([2, 3], [3, 1]))
  t.true(isContiguous([1, 5], [1, 1]))
  t.true(isContiguous([2, 1, 3], [3, 77, 1]))
  t.true(isContiguous([0, 3], [9, 9]))
  t.false(isContiguous([2, 3], [1, 2]))
  t.false(isContiguous([2, 3], [0, 1]))
})
