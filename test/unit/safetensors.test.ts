import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import fc from 'fast-check'
import { SentenceTorchError } from '../../lib/errors.js'
import { byteLengthOf, dtypeBits, type SafetensorsDType } from '../../lib/io/dtypes.js'
import { openSafetensors, type TensorSource, writeSafetensors } from '../../lib/io/safetensors.js'

const folder = mkdtempSync(join(tmpdir(), 'safetensors-test-'))
let count = 0
const newPath = (extension = 'safetensors') => join(folder, `${count++}.${extension}`)

/** A file with this header and so many bytes of data. */
function fileOf(header: string | object, dataBytes: number, promised?: bigint): string {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
  const start = Buffer.alloc(8)
  start.writeBigUInt64LE(promised ?? BigInt(json.length))
  const path = newPath()
  writeFileSync(path, Buffer.concat([start, json, Buffer.alloc(dataBytes)]))
  return path
}

function emptyFile(): string {
  const path = newPath()
  writeFileSync(path, '')
  return path
}

const f32 = (shape: unknown, data_offsets: unknown) => ({ dtype: 'F32', shape, data_offsets })

/** Written by safetensors 0.8.0 (Python): eleven tensors of nine dtypes, metadata `format`. */
const reference = Buffer.from(
  'kAIAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJmb3JtYXQiOiJwdCJ9LCJkIjp7ImR0eXBlIjoiSTY0Iiwic2hhcGUiOlsxXSwiZGF0YV9vZmZz' +
    'ZXRzIjpbMCw4XX0sImMiOnsiZHR5cGUiOiJGNjQiLCJzaGFwZSI6WzFdLCJkYXRhX29mZnNldHMiOls4LDE2XX0sImUiOnsiZHR5cGUiOiJG' +
    'MzIiLCJzaGFwZSI6WzIsMl0sImRhdGFfb2Zmc2V0cyI6WzE2LDMyXX0sImVtIjp7ImR0eXBlIjoiRjMyIiwic2hhcGUiOlswLDRdLCJkYXRh' +
    'X29mZnNldHMiOlszMiwzMl19LCLDqVwieCI6eyJkdHlwZSI6IkYzMiIsInNoYXBlIjpbXSwiZGF0YV9vZmZzZXRzIjpbMzIsMzZdfSwiYmYi' +
    'OnsiZHR5cGUiOiJCRjE2Iiwic2hhcGUiOlsyXSwiZGF0YV9vZmZzZXRzIjpbMzYsNDBdfSwiaCI6eyJkdHlwZSI6IkYxNiIsInNoYXBlIjpb' +
    'Ml0sImRhdGFfb2Zmc2V0cyI6WzQwLDQ0XX0sImY4Ijp7ImR0eXBlIjoiRjhfRTRNMyIsInNoYXBlIjpbMl0sImRhdGFfb2Zmc2V0cyI6WzQ0' +
    'LDQ2XX0sImEiOnsiZHR5cGUiOiJJOCIsInNoYXBlIjpbM10sImRhdGFfb2Zmc2V0cyI6WzQ2LDQ5XX0sImIiOnsiZHR5cGUiOiJVOCIsInNo' +
    'YXBlIjpbMl0sImRhdGFfb2Zmc2V0cyI6WzQ5LDUxXX0sImJvb2wiOnsiZHR5cGUiOiJCT09MIiwic2hhcGUiOlszXSwiZGF0YV9vZmZzZXRz' +
    'IjpbNTEsNTRdfX0gICAgIPv/////////AAAAAAAA+D8AAIA/AAAAQAAAQEAAAIBAAADgQIA/QEAAPADAOED/AgMBAgEAAQ==',
  'base64',
)

test('a file of the reference implementation is read', async (t) => {
  const path = newPath()
  writeFileSync(path, reference)
  const file = await openSafetensors(path)
  t.deepEqual(file.metadata, { format: 'pt' })
  t.deepEqual(file.tensors.get('e'), { dtype: 'F32', shape: [2, 2], byteLength: 16 })
  t.deepEqual(file.tensors.get('em'), { dtype: 'F32', shape: [0, 4], byteLength: 0 })
  t.deepEqual(file.tensors.get('é"x'), { dtype: 'F32', shape: [], byteLength: 4 })
  t.deepEqual([...new Float32Array((await file.read('e')).buffer)], [1, 2, 3, 4])
  t.deepEqual([...new Float32Array((await file.read('e', 4, 12)).buffer)], [2, 3])
  t.deepEqual([...new BigInt64Array((await file.read('d')).buffer)], [-5n])
  t.deepEqual([...(await file.read('bool'))], [1, 0, 1])
  t.is((await file.read('em')).length, 0)
  await t.throwsAsync(file.read('e', 4, 17), { code: 'ERR_INVALID_ARGUMENT', message: /16 bytes of "e"/ })
  await t.throwsAsync(file.read('e', -1), { code: 'ERR_INVALID_ARGUMENT' })
  await t.throwsAsync(file.read('nothing'), { code: 'ERR_INVALID_ARGUMENT', message: /"nothing"/ })
  await file.close()
  await file.close()
  await t.throwsAsync(file.read('e'), { code: 'ERR_DISPOSED' })
})

test('what is written has the bytes of the reference implementation, whatever the order of the tensors', async (t) => {
  const from = newPath()
  writeFileSync(from, reference)
  const file = await openSafetensors(from)
  const tensors: TensorSource[] = []
  for (const [name, { dtype, shape, byteLength }] of [...file.tensors].reverse()) {
    const data = await file.read(name)
    const half = byteLength >> 1
    const pieces = async function* () {
      yield data.subarray(0, half)
      yield data.subarray(half)
    }
    tensors.push({ name, dtype, shape, data: tensors.length % 2 ? data : pieces })
  }
  const to = newPath()
  await writeSafetensors(to, tensors, { format: 'pt' })
  t.deepEqual(readFileSync(to), reference)
  await file.close()
})

const dtypes = Object.keys(dtypeBits) as SafetensorsDType[]
const tensors = fc.uniqueArray(
  fc
    .record({
      name: fc.string({ unit: 'grapheme' }).filter((name) => name !== '__metadata__'),
      dtype: fc.constantFrom(...dtypes),
      shape: fc.array(fc.nat(5), { maxLength: 3 }),
    })
    .filter(({ dtype, shape }) => byteLengthOf(dtype, shape) !== undefined)
    .chain((entry) => {
      const length = byteLengthOf(entry.dtype, entry.shape)!
      return fc.uint8Array({ minLength: length, maxLength: length }).map((data) => ({ ...entry, data }))
    }),
  { selector: ({ name }) => name, maxLength: 8 },
)

test('every set of tensors comes back as it was', async (t) => {
  await fc.assert(
    fc.asyncProperty(tensors, fc.dictionary(fc.string(), fc.string()), async (written, metadata) => {
      const path = newPath()
      await writeSafetensors(path, written, metadata)
      t.is(readFileSync(path).readBigUInt64LE() % 8n, 0n)
      const file = await openSafetensors(path)
      t.deepEqual({ ...file.metadata }, { ...metadata })
      t.is(file.tensors.size, written.length)
      for (const { name, dtype, shape, data } of written) {
        t.deepEqual(file.tensors.get(name), { dtype, shape, byteLength: data.length })
        t.deepEqual(await file.read(name), new Uint8Array(data))
      }
      await file.close()
    }),
    { numRuns: 60 },
  )
})

test('a damaged file gives an error with a code or tensors inside the file, never anything else', async (t) => {
  const flips = fc.array(fc.record({ at: fc.nat(), byte: fc.nat(255) }), { minLength: 1, maxLength: 6 })
  await fc.assert(
    fc.asyncProperty(flips, fc.option(fc.nat(), { nil: undefined }), async (changes, cut) => {
      const bytes = Buffer.from(reference)
      // Most of the bytes are header; the length in front is hit as often as the rest of it.
      for (const { at, byte } of changes) bytes[at % (at % 3 ? bytes.length : 8)] = byte
      const path = newPath()
      writeFileSync(path, cut === undefined ? bytes : bytes.subarray(0, cut % bytes.length))
      try {
        const file = await openSafetensors(path)
        for (const [name, { byteLength }] of file.tensors) t.is((await file.read(name)).length, byteLength)
        await file.close()
      } catch (error) {
        t.true(error instanceof SentenceTorchError, String(error))
        t.is((error as SentenceTorchError).code, 'ERR_INVALID_FILE')
      }
    }),
    { numRuns: 300 },
  )
})

const hostile: [string, () => string, RegExp][] = [
  ['empty file', emptyFile, /0 bytes/],
  ['header beyond the file', () => fileOf({}, 0, 1000n), /header of 1000 bytes/],
  ['header length of 2^64 - 1', () => fileOf({}, 0, 2n ** 64n - 1n), /header of 18446744073709551615 bytes/],
  ['not JSON', () => fileOf('{"a": nonsense}', 0), /not JSON/],
  ['not UTF-8', () => fileOf(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]).toString('latin1'), 0), /damaged/],
  ['an array', () => fileOf('[]', 0), /an array of length 0/],
  ['null', () => fileOf('null', 0), /null/],
  ['nested a million times', () => fileOf('['.repeat(1e6), 0), /not JSON/],
  ['tensor is null', () => fileOf({ a: null }, 0), /"a" has the unknown dtype/],
  ['unknown dtype', () => fileOf({ a: { dtype: 'F31', shape: [1], data_offsets: [0, 4] } }, 4), /"a".*"F31"/],
  ['dtype of the prototype', () => fileOf({ a: { dtype: 'toString', shape: [1], data_offsets: [0, 4] } }, 4), /"a"/],
  ['overlap', () => fileOf({ a: f32([2], [0, 8]), b: f32([2], [4, 12]) }, 12), /"b" starts at byte 4.*overlaps.*"a"/],
  ['twice the same bytes', () => fileOf({ a: f32([1], [0, 4]), b: f32([1], [0, 4]) }, 4), /overlaps/],
  ['gap', () => fileOf({ a: f32([1], [0, 4]), b: f32([1], [8, 12]) }, 12), /"b".*gap after tensor "a"/],
  ['gap at the start', () => fileOf({ a: f32([1], [4, 8]) }, 8), /"a".*gap after the header/],
  ['bytes left over', () => fileOf({ a: f32([1], [0, 4]) }, 5), /"a" ends at byte 4.*5 bytes/],
  ['tensor beyond the file', () => fileOf({ a: f32([100], [0, 400]) }, 4), /"a" ends at byte 400.*4 bytes/],
  ['size that is not shape times dtype', () => fileOf({ a: f32([3], [0, 8]) }, 8), /"a" has 8 bytes.*needs 12/],
  ['product overflow', () => fileOf({ a: f32([2 ** 40, 2 ** 40], [0, 0]) }, 0), /"a".*impossible shape/],
  ['overflow hidden by a zero', () => fileOf({ a: f32([1e308, 1e308, 0], [0, 0]) }, 0), /"a".*impossible shape/],
  ['negative size', () => fileOf({ a: f32([-1], [0, 4]) }, 4), /"a".*impossible shape \[-1\]/],
  ['fraction of a size', () => fileOf({ a: f32([0.5], [0, 2]) }, 2), /"a".*impossible shape/],
  ['shape is a text', () => fileOf({ a: f32('2', [0, 8]) }, 8), /"a".*impossible shape "2"/],
  ['half a byte', () => fileOf({ a: { dtype: 'F4', shape: [3], data_offsets: [0, 1] } }, 1), /impossible shape/],
  ['offsets backwards', () => fileOf({ a: f32([1], [4, 0]) }, 4), /"a".*impossible data_offsets \[4,0\]/],
  ['negative offset', () => fileOf({ a: f32([1], [-4, 0]) }, 4), /"a".*impossible data_offsets/],
  ['one offset', () => fileOf({ a: f32([1], [4]) }, 4), /"a".*impossible data_offsets/],
  ['no offsets', () => fileOf({ a: { dtype: 'F32', shape: [1] } }, 4), /"a".*impossible data_offsets undefined/],
  [
    'name twice',
    () =>
      fileOf(
        '{"x":1,"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"\\u0061" : {"dtype":"F32","shape":[0],"data_offsets":[0,0]}}',
        0,
      ),
    /"a" comes twice/,
  ],
  ['metadata that is no text', () => fileOf({ __metadata__: { a: 1 } }, 0), /__metadata__/],
]

for (const [what, make, message] of hostile) {
  test(`refused with file and reason: ${what}`, async (t) => {
    const path = make()
    const error = await t.throwsAsync(openSafetensors(path), { code: 'ERR_INVALID_FILE', message })
    t.true(error.message.startsWith(path))
  })
}

test('a file that is not there, and one that shrinks', async (t) => {
  await t.throwsAsync(openSafetensors(join(folder, 'none.safetensors')), { code: 'ERR_NOT_FOUND', message: /none/ })
  const path = newPath()
  writeFileSync(path, reference)
  const file = await openSafetensors(path)
  writeFileSync(path, reference.subarray(0, reference.length - 8))
  await t.throwsAsync(file.read('bool'), { code: 'ERR_INVALID_FILE', message: /"bool".*shorter/ })
  await file.close()
})

test('header names that look special are ordinary names', async (t) => {
  const data = new Uint8Array([1])
  const names = ['__proto__', 'constructor', '1', '0', ' ', '']
  const path = newPath()
  await writeSafetensors(
    path,
    names.map((name) => ({ name, dtype: 'U8' as const, shape: [1], data })),
  )
  const file = await openSafetensors(path)
  t.deepEqual([...file.tensors.keys()].sort(), [...names].sort())
  t.deepEqual(await file.read('__proto__'), data)
  await file.close()
})

test('the writer refuses what does not fit and leaves no file behind', async (t) => {
  const data = new Uint8Array(4)
  const tensor: TensorSource = { name: 'a', dtype: 'F32', shape: [1], data }
  const few = async function* () {
    yield data.subarray(0, 3)
  }
  const many = async function* () {
    yield data
    yield data
  }
  const cases: [TensorSource[], RegExp][] = [
    [[{ ...tensor, shape: [2] }], /"a".*8 bytes.*4 bytes|8 bytes for data of tensor "a"/],
    [[{ ...tensor, shape: [-1] }], /shape of tensor "a"/],
    [[{ ...tensor, dtype: 'F31' as 'F32' }], /dtype of tensor "a"/],
    [[tensor, tensor], /every name once/],
    [[{ ...tensor, name: '__metadata__' }], /tensor name/],
    [[{ ...tensor, data: few }], /4 bytes for data of tensor "a".*3 bytes/],
    [[{ ...tensor, data: many }], /4 bytes for data of tensor "a".*8 bytes/],
  ]
  const empty = mkdtempSync(join(folder, 'write-'))
  const old = join(empty, 'x.safetensors')
  writeFileSync(old, 'old')
  for (const [list, message] of cases) {
    await t.throwsAsync(writeSafetensors(old, list), { code: 'ERR_INVALID_ARGUMENT', message })
  }
  t.deepEqual(readdirSync(empty), ['x.safetensors'])
  t.is(readFileSync(old, 'utf8'), 'old')
})

async function writeShards(names: Record<string, string[]>, weightMap: Record<string, unknown>): Promise<string> {
  const dir = mkdtempSync(join(folder, 'shards-'))
  for (const [file, tensorNames] of Object.entries(names)) {
    const list = tensorNames.map((name) => ({
      name,
      dtype: 'U8' as const,
      shape: [1],
      data: Buffer.from(name.slice(0, 1)),
    }))
    await writeSafetensors(join(dir, file), list, { format: 'pt' })
  }
  const path = join(dir, 'model.safetensors.index.json')
  writeFileSync(path, JSON.stringify({ metadata: { total_size: 3 }, weight_map: weightMap }))
  return path
}

test('shards are read through their index', async (t) => {
  const names = { '1.safetensors': ['a', 'b'], '2.safetensors': ['c'] }
  const path = await writeShards(names, { a: '1.safetensors', b: '1.safetensors', c: '2.safetensors' })
  const file = await openSafetensors(path)
  t.deepEqual([...file.tensors.keys()], ['a', 'b', 'c'])
  t.deepEqual(file.metadata, { format: 'pt' })
  t.is(Buffer.from(await file.read('c')).toString(), 'c')
  await file.close()
})

// As transformers 5.24 reads them.
test('an index may name less than the shards hold, more, or another shard', async (t) => {
  const names = { '1.safetensors': ['a', 'b'], '2.safetensors': ['c'] }
  const path = await writeShards(names, { a: '2.safetensors', ghost: '1.safetensors' })
  const file = await openSafetensors(path)
  t.deepEqual([...file.tensors.keys()].sort(), ['a', 'b', 'c'])
  for (const name of ['a', 'b', 'c']) t.is(Buffer.from(await file.read(name)).toString(), name)
  await file.close()
})

test('an index that does not fit its shards is refused', async (t) => {
  const names = { '1.safetensors': ['a', 'b'] }
  const refused = async (weightMap: Record<string, unknown>, code: string, message: RegExp) => {
    await t.throwsAsync(openSafetensors(await writeShards(names, weightMap)), { code, message })
  }
  const one = '1.safetensors'
  await refused({ a: one, b: '2.safetensors' }, 'ERR_NOT_FOUND', /2.safetensors/)
  await refused({ a: one, b: '../../1.safetensors' }, 'ERR_INVALID_FILE', /weight_map\.b.*part "\.\."/)
  await refused({ a: one, b: '/etc/passwd' }, 'ERR_INVALID_FILE', /absolute/)
  await refused({ a: one, b: 'sub/1.safetensors' }, 'ERR_INVALID_FILE', /beside it as weight_map\.b/)
  await refused({ a: 1, b: one }, 'ERR_INVALID_FILE', /weight_map\.a.*relative path/)
  const twice = await writeShards({ ...names, '2.safetensors': ['b'] }, { a: one, b: '2.safetensors' })
  await t.throwsAsync(openSafetensors(twice), { code: 'ERR_INVALID_FILE', message: /"b" is in 1.* and 2/ })
  const bad = newPath('json')
  for (const text of ['nonsense', 'null', '[]', '{}', '{"weight_map": 3}']) {
    writeFileSync(bad, text)
    await t.throwsAsync(openSafetensors(bad), { code: 'ERR_INVALID_FILE' })
  }
})
