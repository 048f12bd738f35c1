import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { Dataset, type ReadOptions } from '../../lib/data/dataset.js'
import { isMissing } from '../../lib/data/readers/numbers.js'
import { DataStream } from '../../lib/data/stream.js'
import { equal } from './report.js'

/** Made by make_reader_goldens.py: what Python's `datasets` reads. */
interface Golden {
  fields: [string, Found][]
  files: {
    name: string
    ending: string
    content: string
    arguments: { header?: null; column_names?: string[]; field?: string }
    refused?: string
    columns?: string[]
    rows?: Found[][]
  }[]
  parquet: { columns: string[]; rows: Found[][] }
}
type Found = string | number | boolean | null | { bigint: string } | { float: string } | Found[]

const goldens = new URL('../../../test/parity/golden/data/', import.meta.url)
const golden = JSON.parse(readFileSync(new URL('readers.json', goldens), 'utf8')) as Golden
const folder = mkdtempSync(join(tmpdir(), 'readers-parity-'))

function file(name: string, content: string): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

/** A value as the golden file writes it. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return { bigint: String(value) }
  if (typeof value === 'number' && !Number.isFinite(value)) return { float: value > 0 ? 'inf' : '-inf' }
  return Array.isArray(value) ? value.map(plain) : value
}

const rowsOf = (dataset: Dataset) =>
  Array.from({ length: dataset.length }, (_, row) =>
    dataset.columnNames.map((name) => plain(dataset.column(name)[row])),
  )

test('Parquet: names that are numbers, 64-bit integers', async (t) => {
  const dataset = await Dataset.fromFile(fileURLToPath(new URL('large.parquet', goldens)))
  t.deepEqual(dataset.columnNames, golden.parquet.columns)
  t.deepEqual(rowsOf(dataset), golden.parquet.rows)
  t.is(dataset.column('id')[0], 9007199254740993n)
  equal('readers', 'files')
})

test('what a field of a CSV file is: that of pandas', async (t) => {
  t.true(golden.fields.length > 70)
  for (const [i, [field, found]] of golden.fields.entries()) {
    const quoted = field.includes(',') ? `"${field}"` : field
    const dataset = await Dataset.fromFile(file(`field${i}.csv`, `a,b\nx,${quoted}\ny,${quoted}\n`))
    // Unlike there a column without any value stays one of texts.
    const expected = found === null ? field : found
    if (found === null) t.true(isMissing(field), field)
    t.deepEqual(dataset.column('b').map(plain), [expected, expected], JSON.stringify(field))
    equal('readers', 'files')
  }
})

for (const [i, { name, ending, content, arguments: given, refused, columns, rows }] of golden.files.entries()) {
  test(`files: ${name}`, async (t) => {
    const path = file(`${i}.${ending}`, content)
    const options: ReadOptions = {
      ...(given.header === null && { header: false, columns: given.column_names }),
      ...(given.field !== undefined && { field: given.field }),
    }
    if (refused !== undefined) {
      await t.throwsAsync(Dataset.fromFile(path, options), { code: 'ERR_INVALID_DATA', message: new RegExp(path) })
      return
    }
    const dataset = await Dataset.fromFile(path, options)
    t.deepEqual(dataset.columnNames, columns)
    t.deepEqual(rowsOf(dataset), rows)
    const stream = DataStream.fromFile(path, options)
    for await (const { names } of stream.pieces(0)) t.deepEqual(names, columns)
    const streamed: unknown[] = []
    for await (const row of stream.rows()) streamed.push(columns!.map((column) => plain(row[column])))
    t.deepEqual(streamed, rows)
    equal('readers', 'files')
  })
}

test('Parquet: decimals that no number holds are refused, other columns are read', async (t) => {
  const path = fileURLToPath(new URL('decimals.parquet', goldens))
  await t.throwsAsync(Dataset.fromFile(path), { code: 'ERR_NOT_IMPLEMENTED', message: /Column d of .* 21 digits/ })
  t.deepEqual((await Dataset.fromFile(path, { columns: ['a'] })).column('a'), ['x'])
})

test('classes of other numbers are refused in a stream of files as in a dataset', async (t) => {
  const files = ['neg-pos', 'pos-neg'].map((name) => fileURLToPath(new URL(`${name}.parquet`, goldens)))
  const refused = { code: 'ERR_INVALID_DATA', message: /Expected the classes neg, pos in column "label"/ }
  await t.throwsAsync(Dataset.fromFile(files), refused)
  await t.throwsAsync(DataStream.fromFile(files).head(10), refused)
  t.is((await DataStream.fromFile([files[0]!, files[0]!]).head(10)).length, 4)
})
