import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import fc from 'fast-check'
import type { ReadOptions } from '../../lib/data/dataset.js'
import { Dataset, type Value } from '../../lib/index.js'

const root = mkdtempSync(join(tmpdir(), 'to-file-'))
test.after.always(() => rmSync(root, { recursive: true, force: true }))
let count = 0
const place = (ending: string) => join(root, `${count++}.${ending}`)

type Columns = Record<string, readonly unknown[]>

/** Writes columns and reads them again. */
async function again(ending: string, columns: Columns, options: Pick<ReadOptions, 'dtype'> = {}): Promise<Dataset> {
  const path = place(ending)
  await Dataset.fromColumns(columns).toFile(path, options)
  return Dataset.fromFile(path, options)
}

function isSame(t: import('ava').ExecutionContext, found: Dataset, columns: Columns, where: string): void {
  const expected = Dataset.fromColumns(columns)
  t.deepEqual(found.columnNames, expected.columnNames, where)
  for (const name of expected.columnNames) {
    t.deepEqual(found.column(name), expected.column(name), `${where} ${name}`)
    if (expected.length > 0) t.is(found.columnKind(name), expected.columnKind(name), `${where} ${name}`)
  }
}

const nasty = [
  ...[
    '',
    ' ',
    '\t',
    '"',
    '""',
    ',',
    '\n',
    '\r',
    '\r\n',
    '\n\r',
    '\0',
    '\ufeff',
    '\ufeffa',
    '\u2028',
    '\u0085',
    '\u00a0',
  ],
  ...[
    'a,b',
    'a"b"',
    '"a"',
    "it's",
    'a\nb',
    'a\r',
    '\ra',
    'a\tb',
    '😀 é 中',
    'NA',
    'nan',
    'null',
    'true',
    '1',
    '-',
    '\\',
    '\\n',
    '#x',
    '=1',
  ],
  ...['e\u0301', 'a'.repeat(5000), ' lead', 'trail ', '0x10', '1_0'],
]
/** A text that shows that a column holds texts. */
const WORD = 'word'
const isForTsv = (text: string) => !/[\t\n\r]/.test(text) && !text.startsWith('\ufeff')

test('texts of every kind come back from every format', async (t) => {
  const columns = { a: [WORD, ...nasty], b: [...nasty, WORD] }
  for (const ending of ['jsonl', 'csv', 'parquet', 'jsonl.gz', 'csv.gz'])
    isSame(t, await again(ending, columns), columns, ending)
  const rows = nasty.filter(isForTsv)
  const plain = { a: [WORD, ...rows], b: [...rows, WORD] }
  for (const ending of ['tsv', 'tsv.gz']) isSame(t, await again(ending, plain), plain, ending)
  const only = { '\ufeff"a",\n': [WORD, ...nasty] }
  for (const ending of ['jsonl', 'csv']) isSame(t, await again(ending, only), only, ending)
  await t.throwsAsync(again('parquet', only), { message: /byte-order mark at its start/ })
})

test('random texts and names come back', async (t) => {
  const text = fc.oneof(fc.constantFrom(...nasty), fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }))
  const name = fc
    .oneof(text, fc.constantFrom('1', '__proto__', 'constructor'))
    .filter((found) => found !== '' && !/^(?:label|\ufeff)/.test(found))
  const table = fc.tuple(
    fc.uniqueArray(name, { minLength: 1, maxLength: 4 }),
    fc.array(fc.array(text, { minLength: 4, maxLength: 4 }), { maxLength: 6 }),
  )
  await fc.assert(
    fc.asyncProperty(table, fc.constantFrom('csv', 'jsonl', 'parquet'), async ([names, rows], ending) => {
      const columns = names.map((_, i) => [...rows.map((row) => row[i]!), WORD])
      const path = place(ending)
      const dataset = Dataset.fromColumns(Object.fromEntries(names.map((one, i) => [one, columns[i]!])), {
        columns: names,
      })
      await dataset.toFile(path)
      const found = await Dataset.fromFile(path)
      t.deepEqual(found.columnNames, names)
      names.forEach((one, i) => {
        t.deepEqual(found.column(one), columns[i]!)
      })
    }),
    { numRuns: 60 },
  )
})

test('numbers, booleans, missing values and large integers come back', async (t) => {
  const numbers = [
    0,
    1,
    -1,
    0.1,
    1e21,
    2 ** 60,
    -(2 ** 70),
    5e-324,
    1.7976931348623157e308,
    2 ** 53 - 1,
    -1e-7,
    123456.789,
  ]
  const table = {
    number: numbers,
    integer: numbers.map((_, i) => i - 3),
    large: numbers.map((_, i) => 2n ** 60n + BigInt(i)),
    flag: numbers.map((_, i) => i % 3 === 0),
    gaps: numbers.map((value, i) => (i % 2 === 0 ? null : value)),
    no: numbers.map((_, i) => (i % 2 === 0 ? true : null)),
    label: numbers.map((value, i) => (i === 4 ? null : value)),
  }
  for (const ending of ['jsonl', 'csv', 'tsv', 'parquet']) isSame(t, await again(ending, table), table, ending)
  const fractions = { a: [Infinity, -Infinity, 1], b: [-0, 0.5, 0], c: [NaN, 1.5, 2] }
  isSame(t, await again('parquet', fractions), fractions, 'parquet')
  const infinite = { a: [Infinity, -Infinity, 1] }
  isSame(t, await again('csv', infinite), infinite, 'csv')
  t.true(Object.is((await again('jsonl', { b: [-0] })).column('b')[0], -0))
})

test('lists, structures and dates come back from the formats that have them', async (t) => {
  const table = {
    texts: [['a', '"'], [], ['', '\n']],
    numbers: [[1, 2.5], [], [null, 3]],
    deep: [[[1], []], [], [[2n ** 61n]]],
    object: [
      { a: 'x', b: [{ c: 1 }], d: null },
      { a: null, b: [], d: null },
      { a: 'y', b: [{ c: null }, { c: 2 }], d: null },
    ],
    nothing: [null, null, null],
    empty: [[], [], []],
    label: [[0, 1], [0.5], []],
  }
  for (const ending of ['jsonl', 'jsonl.gz', 'parquet']) isSame(t, await again(ending, table), table, ending)
  const dates = { when: [new Date(0), new Date(1234567890123), null] }
  isSame(t, await again('parquet', dates), dates, 'parquet')
  const embeddings = {
    text: ['a', 'b'],
    label: [
      [
        [1, 2],
        [3, 4],
      ],
      [
        [0.5, 0],
        [0, 1],
      ],
    ],
  }
  for (const ending of ['jsonl', 'parquet']) isSame(t, await again(ending, embeddings), embeddings, ending)
})

test('what a format cannot hold is refused by column and row, and nothing is written', async (t) => {
  const folder = mkdtempSync(join(root, 'refused-'))
  const refused = async (ending: string, columns: Columns, message: RegExp) => {
    const path = join(folder, `${count++}.${ending}`)
    await t.throwsAsync(Dataset.fromColumns(columns).toFile(path), { code: 'ERR_INVALID_DATA', message })
  }
  await refused(
    'csv',
    { id: ['1', '2'] },
    /"id", row 0, holds the text "1" \(a reader finds 1\).*dtype: \{ "id": 'string' \}/,
  )
  await refused('csv', { id: ['true'] }, /a reader finds true/)
  await refused('csv', { score: ['x', 'y'], label: [1, 2] }, /"score", row 0, holds the text "x".*dtype/)
  await refused('tsv', { a: ['x', 'a\tb'] }, /"a", row 1, holds a tab.*\.csv/)
  await refused('tsv', { a: ['x', 'a\rb'] }, /a line end/)
  await refused('tsv', { a: ['x', ' '] }, /nothing but spaces/)
  await refused('tsv', { 'a\n': ['x'] }, /column name "a\\n" has a line end/)
  await refused('csv', { '': ['x'] }, /name "" has no characters.*renameColumns/)
  for (const ending of ['csv', 'tsv']) {
    await refused(ending, { a: [['x']] }, /"a", row 0, holds a list.*jsonl/)
    await refused(ending, { a: [{ b: 1 }] }, /an object of type Object/)
    await refused(ending, { a: [null, null] }, /null \(a reader finds the text ""\)|nothing but spaces/)
    await refused(ending, { a: [1, true] }, /holds true|holds 1/)
    await refused(ending, { a: [new Date()] }, /a date/)
  }
  await refused('jsonl', { a: [1, NaN] }, /"a", row 1, holds NaN.*map\(\)/)
  await refused('jsonl', { a: [{ b: [Infinity] }] }, /Infinity/)
  await refused('jsonl', { a: [new Date()] }, /a date/)
  await refused('jsonl', { a: [{ b: undefined }] }, /undefined/)
  await refused('parquet', { a: [1, true] }, /"a", row 1, holds true in a column of another type \(int64\)/)
  await refused('parquet', { a: [[1], [['x']]] }, /another type/)
  await refused('parquet', { a: [{ b: 1 }, { c: 1 }] }, /other keys/)
  await refused('parquet', { a: [{}] }, /without keys/)
  await refused('parquet', { a: [2n ** 63n] }, /64 bits/)
  await refused('parquet', { a: [2n ** 61n, 0.5] }, /row 0, holds an integer beyond 2\^53 among fractions/)
  for (const ending of ['csv', 'tsv', 'parquet']) await refused(ending, { a: ['x', '\ud800'] }, /lone surrogate/)
  isSame(t, await again('jsonl', { a: ['\ud800'] }), { a: ['\ud800'] }, 'jsonl')
  t.deepEqual(readdirSync(folder), [])
})

test('texts that look like numbers: the same dtype for writing and reading', async (t) => {
  const columns = { id: ['01', '2', ''], score: ['a', 'b', 'c'], label: [1, 2, 3] }
  const dtype = { id: 'string', score: 'string' } as const
  for (const ending of ['csv', 'tsv']) isSame(t, await again(ending, columns, { dtype }), columns, ending)
})

test('a column whose texts look like numbers only at first is read as texts', async (t) => {
  const a = Array.from({ length: 10_050 }, (_, i) => (i === 10_020 ? 'x' : String(i)))
  await t.throwsAsync(again('csv', { a }), { message: /"a", row 0, holds the text "0"/ })
  a[9_000] = 'y'
  isSame(t, await again('csv', { a }), { a }, 'csv')
})

test('no rows', async (t) => {
  const empty = (await Dataset.fromColumns({ a: ['x'], label: [1] }).filter(() => false)) as Dataset
  for (const ending of ['csv', 'tsv', 'parquet']) {
    const path = place(ending)
    await empty.toFile(path)
    const found = await Dataset.fromFile(path)
    t.deepEqual([found.length, found.columnNames], [0, ['a', 'label']], ending)
  }
  const path = place('jsonl')
  await empty.toFile(path)
  t.is((await Dataset.fromFile(path, { columns: ['a', 'label'] })).length, 0)
  await t.throwsAsync(Dataset.fromRows([]).toFile(place('csv')), { message: /with columns/ })
})

test('many rows: several row groups and pieces', async (t) => {
  const rows = 120_000
  const columns = {
    text: Array.from({ length: rows }, (_, i) => (i % 5 === 0 ? `text "${i}",\n` : 'same')),
    number: Array.from({ length: rows }, (_, i) => (i % 7 === 0 ? null : i / 3)),
    label: Array.from({ length: rows }, (_, i) => i % 3),
  }
  for (const ending of ['csv', 'jsonl.gz', 'parquet']) {
    const found = await again(ending, columns)
    for (const name of ['text', 'number', 'label'] as const) {
      const values: readonly Value[] = found.column(name)
      t.is(values.length, rows)
      t.is(
        values.findIndex((value, i) => value !== columns[name][i]),
        -1,
        `${ending} ${name}`,
      )
    }
  }
})

test('class names stay in Parquet files', async (t) => {
  const source = place('parquet')
  const names = ['entailment', 'neutral']
  const columns = new Map<string, never>([
    ['text', { values: ['a', 'b', 'c'], kind: 'text' } as never],
    ['list', { values: [['a'], [], ['b']], kind: 'texts' } as never],
    ['label', { values: [0, Number.NaN, 1], kind: 'label', classNames: names } as never],
  ])
  await Dataset.fromChecked(columns).toFile(source)
  const found = await Dataset.fromFile(source)
  t.deepEqual(found.classNames('label'), names)
  t.deepEqual(found.column('label'), [0, Number.NaN, 1])
})

test('the file is replaced as a whole, or stays', async (t) => {
  const dataset = Dataset.fromColumns({ a: ['x', 'y'] })
  for (const ending of ['csv', 'jsonl.gz', 'parquet']) {
    const path = place(ending)
    writeFileSync(path, 'old')
    await t.throwsAsync(dataset.toFile(path, { signal: AbortSignal.abort() }), { code: 'ERR_ABORTED' })
    t.is(readFileSync(path, 'utf8'), 'old')
    await dataset.toFile(path)
    isSame(t, await Dataset.fromFile(path), { a: ['x', 'y'] }, ending)
    const link = place(ending)
    symlinkSync(path, link)
    await dataset.select([1]).toFile(link)
    isSame(t, await Dataset.fromFile(path), { a: ['y'] }, ending)
  }
  await t.throwsAsync(dataset.toFile(join(root, 'no/such/a.csv')), { code: 'ERR_NOT_FOUND' })
  await t.throwsAsync(dataset.toFile('/proc/a.csv'), { message: /\/proc\/a\.csv/ })
  const controller = new AbortController()
  const many = Dataset.fromColumns({ a: Array.from({ length: 300_000 }, (_, i) => `text ${i}`) })
  for (const ending of ['csv', 'parquet']) {
    const path = place(ending)
    const writing = many.toFile(path, { signal: controller.signal })
    setTimeout(() => controller.abort(), 5)
    await t.throwsAsync(writing, { code: 'ERR_ABORTED' })
    t.false(existsSync(path))
  }
})

test('endings and options are checked', async (t) => {
  const dataset = Dataset.fromColumns({ a: ['x'] })
  for (const path of ['a.json', 'a', 'a.parquet.gz', 'a.xlsx', 5 as never, 'a\0.csv'])
    await t.throwsAsync(dataset.toFile(path), { code: 'ERR_INVALID_ARGUMENT' }, String(path))
  await t.throwsAsync(dataset.toFile('a.jsonl', { dtype: { a: 'string' } }), { message: /\.csv or \.tsv/ })
  await t.throwsAsync(dataset.toFile('a.csv', { dtype: { a: 'int' } as never }), { message: /'string'/ })
  await t.throwsAsync(dataset.toFile('a.csv', { dtype: { b: 'string' } }), { message: /one of the columns a/ })
  await t.throwsAsync(dataset.toFile('a.csv', { index: false } as never), { code: 'ERR_UNKNOWN_OPTION' })
})
