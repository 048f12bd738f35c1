import { execFileSync } from 'node:child_process'
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import ava, { type ExecutionContext } from 'ava'
import { Dataset } from '../../lib/data/dataset.js'
import { looksLikeRow } from '../../lib/data/readers/header.js'
import { parseNumber } from '../../lib/data/readers/numbers.js'
import type { ReadOptions } from '../../lib/data/readers/table.js'
import { DataStream } from '../../lib/data/stream.js'
import { type ErrorCode, SentenceTorchError } from '../../lib/errors.js'

// One after the other: how long each takes is looked at.
const test = ava.serial
/** Of the processor: far above what any of it takes, and far below what it took. */
const SECONDS = 5
const folder = mkdtempSync(join(tmpdir(), 'hostile-text-'))
let count = 0

function file(ending: string, content: string | Uint8Array): string {
  const path = join(folder, `${count++}.${ending}`)
  writeFileSync(path, content)
  return path
}

async function inTime<T>(t: ExecutionContext, work: () => T | Promise<T>): Promise<T> {
  const start = process.cpuUsage()
  const result = await work()
  const { user, system } = process.cpuUsage(start)
  const seconds = (user + system) / 1e6
  t.true(seconds < SECONDS, `it took ${seconds} s`)
  return result
}

async function refused(t: ExecutionContext, path: string, code: ErrorCode, message: RegExp, options: ReadOptions = {}) {
  const error = await inTime(t, () => t.throwsAsync(async () => Dataset.fromFile(path, options)))
  t.true(error instanceof SentenceTorchError, `${error}`)
  t.is((error as SentenceTorchError).code, code)
  t.regex(error!.message, message)
  t.true(error!.message.length < 10_000, `a message of ${error!.message.length} characters`)
  t.true(error!.message.includes(path), error!.message)
}

const names = (columns: number) => Array.from({ length: columns }, (_, i) => `c${i}`)

test('50,000 columns are read in time, of every format', async (t) => {
  const header = names(50_000)
  const values = header.map((_, i) => `v${i}`)
  const row = Object.fromEntries(header.map((name, i) => [name, values[i]]))
  const files = [
    file('csv', `${header.join()}\n${values.join()}\n`),
    file('tsv', `${header.join('\t')}\n${values.join('\t')}\n`),
    file('jsonl', JSON.stringify(row)),
    file('json', JSON.stringify([row])),
  ]
  for (const path of files) {
    const dataset = await inTime(t, () => Dataset.fromFile(path))
    t.deepEqual(dataset.columnNames, header)
    t.is(dataset.row(0).c49999, 'v49999')
    const rows = await inTime(t, () => DataStream.fromFile(path).head(1))
    t.is(rows.columnNames.length, 50_000)
  }
})

test('more than 100,000 columns are refused', async (t) => {
  const header = names(100_001)
  const message = /at most 100000 columns/
  await refused(t, file('csv', `${header.join()}\n`), 'ERR_INVALID_FILE', message)
  await refused(t, file('tsv', `${header.join('\t')}\n`), 'ERR_INVALID_FILE', message)
  await refused(t, file('csv', ','.repeat(2_000_000)), 'ERR_INVALID_FILE', message)
  const row = JSON.stringify(Object.fromEntries(header.map((name) => [name, ''])))
  await refused(t, file('jsonl', row), 'ERR_INVALID_FILE', message)
  await refused(
    t,
    file('csv', `a,b\n1,2\n${','.repeat(1_000_000)}\n`),
    'ERR_INVALID_DATA',
    /2 fields \(a, b\) in line 3/,
  )
})

test('a name that comes twice is refused, not lost', async (t) => {
  for (const path of [file('csv', 'a,b,a\n1,2,3\n'), file('tsv', 'a\tb\ta\n1\t2\t3\n')]) {
    await refused(t, path, 'ERR_INVALID_DATA', /The column "a" of .* comes twice/)
    await t.throwsAsync(() => DataStream.fromFile(path).head(), { code: 'ERR_INVALID_DATA', message: /comes twice/ })
  }
})

test('names that every object has are columns like others', async (t) => {
  const odd = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf']
  const jsonl = `{${odd.map((name, i) => `"${name}":"v${i}"`).join()}}`
  const values = odd.map((_, i) => `v${i}`)
  for (const path of [
    file('jsonl', jsonl),
    file('json', `[${jsonl}]`),
    file('csv', `${odd.join()}\n${values.join()}`),
    file('tsv', `${odd.join('\t')}\n${values.join('\t')}`),
  ]) {
    const dataset = await Dataset.fromFile(path)
    t.deepEqual(dataset.columnNames, odd)
    t.deepEqual(
      odd.map((name) => dataset.column(name)[0]),
      values,
    )
    t.deepEqual(
      Object.entries(dataset.row(0)),
      odd.map((name, i) => [name, values[i]]),
    )
    t.is(Object.getPrototypeOf(dataset.row(0)), Object.prototype)
    t.deepEqual(dataset.renameColumns({ valueOf: 'b' } as never).columnNames, [...odd.slice(0, 4), 'b'])
    const row = (await DataStream.fromFile(path).head()).row(0)
    t.deepEqual(Object.keys(row), odd)
    const mapped = await dataset.map(() => ({ constructor: 'x' }))
    t.deepEqual(mapped.column('constructor'), ['x'])
  }
  t.is(({} as Record<string, unknown>).v0, undefined)
})

test('JSON that is nested too deep is refused where it is read', async (t) => {
  const deep = (depth: number) => `{"a":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`
  t.is((await Dataset.fromFile(file('jsonl', deep(200)))).length, 1)
  t.is((await Dataset.fromFile(file('json', `[${deep(200)}]`))).length, 1)
  for (const depth of [201, 5000, 600_000, 2_000_000]) {
    await refused(t, file('jsonl', `\n${deep(depth)}`), 'ERR_INVALID_DATA', /less deep lists and objects in .*line 2/)
    await refused(t, file('json', `[${deep(depth)}]`), 'ERR_INVALID_DATA', /less deep lists and objects in .*element 0/)
    await refused(t, file('json', `{"q":[${deep(depth)}]}`), 'ERR_INVALID_DATA', /less deep/, { field: 'q' })
  }
  await refused(t, file('jsonl', `{"a":${'['.repeat(2_000_000)}`), 'ERR_INVALID_DATA', /less deep/)
  await refused(t, file('jsonl', `{"a":${'{"a":'.repeat(1_000_000)}`), 'ERR_INVALID_DATA', /less deep/)
})

test('labels that are nested too deep are refused', (t) => {
  let label: unknown = 1
  for (let i = 0; i < 100_000; i++) label = [label]
  const error = t.throws(() => Dataset.fromColumns({ a: ['x'], label: [label] }), { instanceOf: SentenceTorchError })
  t.is(error.code, 'ERR_INVALID_DATA')
})

test('a row of too many values is refused', async (t) => {
  const path = file('jsonl', `{"a":[0${',0'.repeat(10_000_001)}]}`)
  await refused(t, path, 'ERR_INVALID_FILE', /at most 10000000 values in line 1/)
})

test('a line of 600 MB is refused with its number and the limit', async (t) => {
  const path = join(folder, 'long.jsonl')
  const descriptor = openSync(path, 'w')
  writeSync(descriptor, '{"a":"x"}\n{"a":"')
  ftruncateSync(descriptor, 600_000_000)
  closeSync(descriptor)
  const error = await t.throwsAsync(() => Dataset.fromFile(path), { code: 'ERR_INVALID_FILE' })
  t.regex(error!.message, /at most 500 MB of text in line 2 of /)
})

test('integers of many digits', async (t) => {
  const row = (digits: number) => `{"a":${'1'.repeat(digits)}}`
  // 4,300 is Python's limit.
  t.deepEqual((await Dataset.fromFile(file('jsonl', row(4300)))).column('a'), [BigInt('1'.repeat(4300))])
  await refused(t, file('jsonl', row(4301)), 'ERR_INVALID_DATA', /4300 digits/)
  await refused(t, file('jsonl', row(5_000_000)), 'ERR_INVALID_DATA', /4300 digits/)
  // Every value of a row may need its digits: they are read once.
  const wide = Object.fromEntries(names(10_000).map((name) => [name, 0]))
  const path = file('jsonl', JSON.stringify(wide).replaceAll(':0', ':12345678901234567890'))
  const dataset = await inTime(t, () => Dataset.fromFile(path))
  t.deepEqual(dataset.column('c9999'), [12345678901234567890n])
})

test('texts that expressions could take long for', async (t) => {
  const long = 200_000
  const blanks = ' '.repeat(long)
  const cases: [string, string][] = [
    ['a,b', `${'1'.repeat(long)}x,x`],
    ['a,b', `${blanks}1${blanks}x,x`],
    [`${'a b'.repeat(long)},b`, 'x,x'],
    [`a b${'c'.repeat(long)},b`, 'x,x'],
    ['a,b', `"${'""'.repeat(long)}",x`],
  ]
  for (const [header, row] of cases)
    t.is((await inTime(t, () => Dataset.fromFile(file('csv', `${header}\n${row}\n`)))).length, 1)
  await refused(
    t,
    file('csv', `a,label\nx,${blanks}x${blanks}\n`),
    'ERR_INVALID_DATA',
    /a number in column "label" in line 2/,
  )
  await inTime(t, () => t.is(parseNumber(`${'1'.repeat(long)}.${'1'.repeat(long)}x`), undefined))
  await inTime(t, () => t.true(looksLikeRow([`a b${'c.'.repeat(long)}`], [[]])))
  await refused(t, file('json', `{"a":"${'\\"'.repeat(120_000)}`), 'ERR_INVALID_DATA', /an array of rows/)
  await refused(t, file('json', '{"\\x": []}'), 'ERR_INVALID_DATA', /an array of rows/)
})

test('a quote that is never closed is told with its line', async (t) => {
  const path = file('csv', `a,b\n1,2\n3,"x\n${'y\n'.repeat(500_000)}`)
  await refused(t, path, 'ERR_INVALID_DATA', /quoted field that begins in line 3/)
})

test('a long quoted field is one value', async (t) => {
  const text = `${'y\n'.repeat(500_000)}`
  const dataset = await inTime(t, () => Dataset.fromFile(file('csv', `a,b\n"${text}",2\n`)))
  t.deepEqual(dataset.column('a'), [text])
})

test('many empty lines, line ends of all kinds, marks and odd characters', async (t) => {
  const empty = '\n'.repeat(1_000_000)
  t.is((await inTime(t, () => Dataset.fromFile(file('jsonl', `{"a":"x"}${empty}{"a":"y"}`)))).length, 2)
  t.is((await inTime(t, () => Dataset.fromFile(file('csv', `a\nx${empty}y`)))).length, 2)
  t.is((await inTime(t, () => Dataset.fromFile(file('tsv', `a\nx${'\r'.repeat(300_000)}y`)))).length, 2)
  const mixed = await Dataset.fromFile(
    file('jsonl', '\ufeff{"a":"\\ud800"}\r{"a":"\\u0000"}\r\n{"a":"\ufeff"}\n\r{"a":"\0"}'.replace('\0', 'z')),
  )
  t.deepEqual(mixed.column('a'), ['\ud800', '\0', '\ufeff', 'z'])
  t.deepEqual((await Dataset.fromFile(file('csv', 'a,b\n\0,\ufeff\n'))).row(0), { a: '\0', b: '\ufeff' })
  await refused(t, file('jsonl', '{"a":"\0"}'), 'ERR_INVALID_DATA', /line 1/)
})

test('strings of JSON that are cut anywhere', async (t) => {
  // Pieces are 256 KB: the cuts fall behind backslashes and into strings.
  const rows = Array.from({ length: 6000 }, (_, i) => ({ 'k"\\': '\\"[]{},'.repeat(i % 40) + 'x'.repeat(i % 7), n: i }))
  const expected = rows.map((row) => row['k"\\'])
  t.deepEqual((await Dataset.fromFile(file('json', JSON.stringify(rows)))).column('k"\\'), expected)
  const inside = JSON.stringify({ note: '\\"'.repeat(400_000), 'q"\\': 1, rows })
  t.deepEqual((await Dataset.fromFile(file('json', inside), { field: 'rows' })).column('k"\\'), expected)
})

test('a gzip file that unpacks to far more than its size is refused', async (t) => {
  const bomb = gzipSync(Buffer.alloc(160_000_000, 'x'))
  await refused(t, file('jsonl.gz', bomb), 'ERR_INVALID_FILE', /at most 100 times its size and 128 MB, unpacked/)
  t.is((await Dataset.fromFile(file('jsonl.gz', gzipSync(`{"a":"${'x'.repeat(5_000_000)}"}`)))).length, 1)
})

test('what is no file is refused at once', async (t) => {
  const inner = join(folder, 'folder.jsonl')
  mkdirSync(inner)
  await refused(t, inner, 'ERR_INVALID_ARGUMENT', /Expected a file, found the folder/)
  await refused(t, join(folder, 'absent.csv'), 'ERR_NOT_FOUND', /There is no file/)
  await refused(t, join(file('jsonl', '{}'), 'x.jsonl'), 'ERR_FILE_SYSTEM', /ENOTDIR/)
  const loop = join(folder, 'loop.jsonl')
  symlinkSync(loop, loop)
  await refused(t, loop, 'ERR_FILE_SYSTEM', /ELOOP/)
  await refused(t, join(folder, `${'n'.repeat(300)}.jsonl`), 'ERR_FILE_SYSTEM', /ENAMETOOLONG/)
  await t.throwsAsync(() => Dataset.fromFile(join(folder, 'a\0.jsonl')), { code: 'ERR_INVALID_ARGUMENT' })
  if (process.platform === 'win32') return
  for (const ending of ['jsonl', 'json', 'csv', 'tsv.gz', 'parquet']) {
    const pipe = join(folder, `pipe.${ending}`)
    execFileSync('mkfifo', [pipe])
    await refused(t, pipe, 'ERR_INVALID_ARGUMENT', /Expected a file, found the pipe/)
  }
  const device = join(folder, 'device.jsonl')
  symlinkSync('/dev/zero', device)
  await refused(t, device, 'ERR_INVALID_ARGUMENT', /Expected a file, found the device/)
})
