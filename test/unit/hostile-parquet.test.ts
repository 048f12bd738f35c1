import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import ava, { type ExecutionContext } from 'ava'
import { classNamesOf } from '../../lib/data/class-names.js'
import { Dataset } from '../../lib/data/dataset.js'
import { unpack } from '../../lib/data/readers/parquet-codecs.js'
import { readColumn } from '../../lib/data/readers/parquet-column.js'
import { readFooter } from '../../lib/data/readers/parquet-file.js'
import { checkContent, type Leaf, type Page, pagesOf } from '../../lib/data/readers/parquet-pages.js'
import { ThriftReader } from '../../lib/data/readers/parquet-thrift.js'
import { SentenceTorchError } from '../../lib/errors.js'

// One after the other: how long each takes is looked at.
const test = ava.serial
const golden = new URL('../../../test/parity/golden/data/', import.meta.url)
const folder = mkdtempSync(join(tmpdir(), 'hostile-parquet-'))
const fixtures = readdirSync(golden)
  .filter((name) => name.endsWith('.parquet') && name !== 'large.parquet')
  .map((name) => readFileSync(new URL(name, golden)))

/** Bytes in place of an open file. */
const handle = (bytes: Buffer) =>
  ({
    stat: async () => ({ size: bytes.length }),
    read: async (target: Uint8Array, offset: number, length: number, position: number) => ({
      bytesRead: bytes.copy(target, offset, position, Math.min(bytes.length, position + length)),
    }),
  }) as unknown as FileHandle

async function readAll(bytes: Buffer): Promise<unknown[][]> {
  const file = handle(bytes)
  const footer = await readFooter(file)
  const all: unknown[][] = []
  for (const group of footer.groups) {
    for (const column of footer.columns) all.push(await readColumn(file, footer, group, column, (value) => value))
  }
  return all
}

/** Numbers below `most`, the same in every run. */
function generator(seed: number): (most: number) => number {
  let state = seed
  return (most) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * most)
  }
}

/** Some bytes changed, moved or cut away, in the footer more often than elsewhere. */
function mutated(bytes: Buffer, random: (most: number) => number): Buffer {
  let changed: Buffer = Buffer.from(bytes)
  for (let left = 1 + random(4); left > 0 && changed.length > 12; left--) {
    const footer = Math.min(changed.length - 8, bytes.readUInt32LE(bytes.length - 8))
    const at = random(3) === 0 ? changed.length - 8 - random(footer) : random(changed.length)
    const how = random(6)
    if (how === 0) changed[at]! ^= 1 << random(8)
    else if (how === 1) changed[at] = [0, 0xff, 0x7f, 0x80, 0x01][random(5)]!
    else if (how === 2) changed.fill(Buffer.from([0xff, 0xff, 0xff, 0xff, 0x07]), at, Math.min(changed.length, at + 5))
    else if (how === 3) changed[at] = random(256)
    else if (how === 4) changed.copy(changed, at, random(changed.length), changed.length)
    else if (random(4) === 0) changed = Buffer.concat([changed.subarray(0, at), changed.subarray(at + 1 + random(20))])
  }
  return changed
}

async function settles<T>(t: ExecutionContext, what: string, work: () => Promise<T>): Promise<T | undefined> {
  const start = process.cpuUsage()
  try {
    return await work()
  } catch (error) {
    t.true(error instanceof Error, what)
    return undefined
  } finally {
    t.true(process.cpuUsage(start).user < 5e6, `${what} took long`)
  }
}

test('damaged files end in an error or in rows, in time and with little memory', async (t) => {
  const before = process.resourceUsage().maxRSS
  const random = generator(20)
  let errors = 0
  for (let i = 0; i < 600; i++) {
    const bytes = mutated(fixtures[random(fixtures.length)]!, random)
    if ((await settles(t, `case ${i}`, () => readAll(bytes))) === undefined) errors++
  }
  t.true(errors > 200 && errors < 600, `${errors} errors`)
  t.true(process.resourceUsage().maxRSS - before < 256 * 1024, 'it took more than 256 MB')
})

test('every error of a damaged file names the file', async (t) => {
  const random = generator(5)
  for (let i = 0; i < 24; i++) {
    const path = join(folder, `${i}.parquet`)
    writeFileSync(path, mutated(fixtures[random(fixtures.length)]!, random))
    await settles(t, path, async () => {
      try {
        await Dataset.fromFile(path)
      } catch (error) {
        t.true(error instanceof SentenceTorchError, `${error}`)
        t.true((error as Error).message.includes(path), (error as Error).message)
        throw error
      }
    })
  }
})

test('files that are cut off anywhere are refused', async (t) => {
  for (const bytes of fixtures) {
    for (let length = 0; length < bytes.length; length += Math.ceil(bytes.length / 40)) {
      await t.throwsAsync(() => readAll(bytes.subarray(0, length)), undefined, `${length} bytes`)
    }
  }
})

test('headers that claim too much are refused', (t) => {
  const refused = (bytes: number[], message: RegExp) =>
    t.throws(() => new ThriftReader(Uint8Array.from(bytes), 0).struct(), { message })
  // Field 1: a list of 2^31 structs; an integer of a megabyte; a text of a gigabyte; structs in structs.
  refused([0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07, 0], /a list of 2147483647 values/)
  refused([0x16, ...new Array(1_000_000).fill(0xff)], /more than 64 bits/)
  refused([0x18, 0xff, 0xff, 0xff, 0xff, 0x03, 0], /behind their end/)
  refused(new Array(100_000).fill(0x1c), /nested too deep/)
  refused(new Array(100_000).fill(0x19), /nested too deep|a list of|unknown type/)
  refused([0x1b, 0], /unknown type 11/)
})

test('a schema whose columns have less than no columns in them is refused', async (t) => {
  // Version 1; the root with one column, which has -1; no rows; no row groups.
  const schema = [0x19, 0x2c, 0x48, 1, 0x72, 0x15, 2, 0, 0x48, 1, 0x63, 0x15, 1, 0]
  const footer = [0x15, 2, ...schema, 0x16, 0, 0x19, 0x0c, 0]
  const bytes = Buffer.from([0x50, 0x41, 0x52, 0x31, ...footer, footer.length, 0, 0, 0, 0x50, 0x41, 0x52, 0x31])
  await t.throwsAsync(() => readAll(bytes), { message: /-1 columns in it/ })
})

const leaf: Leaf = { repetition: 0, definition: 0, isNested: false, isBoolean: false, width: 4 }
const content = (
  encoding: number,
  bytes: number[],
  values: number,
  own: Partial<Leaf> = {},
  unpackedBytes = bytes.length,
) => {
  const data = Uint8Array.from(bytes)
  const page: Page = {
    kind: 'data',
    values,
    nulls: 0,
    encoding,
    repetitionBytes: 0,
    definitionBytes: 0,
    isCompressed: true,
    unpackedBytes,
    bytes: data,
  }
  return () => checkContent(page, { ...leaf, ...own }, data)
}

test('runs and differences that never end, or fill all memory, are refused', (t) => {
  // A run of 2^30 equal numbers; 2^30 numbers of no bits; numbers of 33 bits.
  t.throws(content(8, [3, 0xfe, 0xff, 0xff, 0xff, 0x07, 0], 10), { message: /a run of values is too long/ })
  t.throws(content(8, [0, 0xff, 0xff, 0xff, 0xff, 0x07], 10), { message: /a run of values is too long/ })
  t.throws(content(8, [33, 2, 0], 1), { message: /33 bits/ })
  t.throws(content(0, [6, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff, 0x07, 1], 10, { definition: 1 }), { message: /too long/ })
  t.throws(content(0, [0xff, 0xff, 0xff, 0xff], 10, { definition: 1 }), { message: /within its levels/ })
  // Blocks of -1 parts lead back to where they begin.
  t.throws(content(5, [0x80, 0x01, 0xff, 0xff, 0xff, 0xff, 0x0f, 10, 0, 0, 0], 10), {
    message: /differences in blocks/,
  })
  t.throws(content(5, [0x80, 0x01, 0, 10, 0, 0, 0], 10), { message: /differences in blocks/ })
  t.throws(content(5, [0x80, 0x01, 4, 9, 0, 0, 0], 10), { message: /9 differences/ })
  t.throws(content(5, [0x80, 0x01, 4, 10, 0, ...new Array(100_000).fill(0xff)], 10), { message: /more than 64 bits/ })
  t.throws(content(9, [1, 2, 3], 10), { message: /within its values/ })
  // What is right is not refused: 10 times the index 1, and the numbers 5, 6, 7, …
  t.notThrows(content(8, [1, 20, 1], 10))
  t.notThrows(content(8, [0], 10))
  t.notThrows(content(5, [0x80, 0x01, 4, 10, 10, 2, 0, 0, 0, 0], 10))
})

test('texts that share more than there is, or grow without end, are refused', (t) => {
  // Prefixes 0, 2^20, 2^20, …: differences of 2^21 (zigzag) once, then of none.
  const shared = [0x80, 0x01, 4, 2, 0, 0x80, 0x80, 0x80, 0x01, 0, 0, 0, 0]
  t.throws(content(7, [...shared, 0x80, 0x01, 4, 2, 2, 0, 0, 0, 0, 0, 0x61, 0x61], 2), {
    message: /shares more with the one before/,
  })
})

test('pages that go on behind their column, or hold more than it has, are refused', (t) => {
  // A data page of 4 bytes, PLAIN, of so many values.
  const page = (values: number, stored = 4) =>
    Uint8Array.from([
      0x15,
      0,
      0x15,
      8,
      0x15,
      2 * stored,
      0x2c,
      0x15,
      2 * values,
      0x15,
      0,
      0x15,
      6,
      0x15,
      6,
      0,
      0,
      1,
      0,
      0,
      0,
    ])
  t.is(pagesOf(page(1), leaf, 1, { left: 100 }).length, 1)
  t.throws(() => pagesOf(page(2), leaf, 1, { left: 100 }), { message: /more than its 1 values/ })
  t.throws(() => pagesOf(page(1), leaf, 3, { left: 100 }), { message: /1 of its 3 values/ })
  t.throws(() => pagesOf(page(1, 40), leaf, 1, { left: 100 }), { message: /behind the end of its column/ })
  t.throws(() => pagesOf(page(1), leaf, 1, { left: 3 }), { message: /far more than its size/ })
})

test('codecs unpack no more than they are asked for', (t) => {
  const zstd = Uint8Array.from([0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0xf0, 1, 0, 0])
  t.throws(() => unpack('ZSTD', zstd, 10), { message: /4026531840 bytes instead of 10/ })
  t.throws(() => unpack('ZSTD', Uint8Array.from([1, 2, 3]), 10))
  t.throws(() => unpack('GZIP', Uint8Array.from([0x1f, 0x8b, 8]), 10))
  t.throws(() => unpack('BROTLI', Uint8Array.from([0xff, 0xff]), 10))
  // A frame of the length -8 would be read again and again.
  t.throws(() => unpack('LZ4', Uint8Array.from([0, 0, 0, 0, 0xff, 0xff, 0xff, 0xf8, 0]), 10))
  t.throws(() => unpack('toString', Uint8Array.from([0]), 10), { message: /codec toString is unknown/ })
  t.deepEqual(unpack('LZ4_RAW', Uint8Array.from([0]), 0), new Uint8Array())
})

test('class names that are no names say nothing', (t) => {
  const features = (column: string) => `{"info":{"features":{"label":${column}}}}`
  t.deepEqual(classNamesOf(features('{"_type":"ClassLabel","names":["a","b"]}')).get('label'), ['a', 'b'])
  for (const odd of [
    '[]',
    'null',
    '1',
    '{"_type":"ClassLabel","names":{"length":3}}',
    `${'['.repeat(5000)}${']'.repeat(5000)}`,
    '{',
  ]) {
    t.is(classNamesOf(features(odd)).size, 0)
  }
  for (const odd of ['{"info":{"features":"abc"}}', '{"info":[]}', '3', '[', '']) t.is(classNamesOf(odd).size, 0)
})
