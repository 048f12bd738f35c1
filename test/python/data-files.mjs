// Datasets that are written here and read by pandas and `datasets`.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Dataset } from 'sentence-torch'

const TEXTS = [
  ...[
    'word',
    '',
    ' ',
    '"',
    '""',
    ',',
    'a,b',
    'a"b"',
    '"a"',
    'a\nb',
    'a\r\nb',
    'a\rb',
    'a\tb',
    '\ufeffa',
    '\u2028',
    'é 中 😀',
  ],
  ...['e\u0301', 'NA', '1', 'true', '\\n', '#x', ' lead', 'trail ', 'a'.repeat(5000)],
]
const COLUMNS = {
  text: TEXTS,
  integer: TEXTS.map((_, i) => i - 3),
  large: TEXTS.map((_, i) => 2n ** 60n + BigInt(i)),
  number: TEXTS.map((_, i) => [0.1, 1e21, 1.5e-300, -123456.789, 2 ** 60][i % 5]),
  flag: TEXTS.map((_, i) => i % 3 === 0),
  label: TEXTS.map((_, i) => (i === 4 ? null : i % 2)),
}
const LISTS = {
  texts: TEXTS.map((text, i) => [text, text].slice(0, i % 3)),
  numbers: TEXTS.map((_, i) => [[i / 2], []]),
}

/** Writes the files and expected.json into `folder`. */
export async function writeDataFiles(folder) {
  const flat = Dataset.fromColumns(COLUMNS)
  const all = Dataset.fromColumns({ ...COLUMNS, ...LISTS })
  const plain = await flat.filter(({ text }) => !/[\t\n\r]|^\ufeff/.test(text))
  const named = Dataset.fromChecked(
    new Map([
      ['text', { values: ['a', 'b', 'c'], kind: 'text' }],
      ['texts', { values: [['a'], [], ['b', 'c']], kind: 'texts' }],
      ['label', { values: [1, 0, 1], kind: 'label', classNames: ['no', 'yes'] }],
    ]),
  )
  const files = {
    'flat.csv': flat,
    'flat.csv.gz': flat,
    'plain.tsv': plain,
    'all.jsonl': all,
    'all.jsonl.gz': all,
    'all.parquet': all,
    'named.parquet': named,
  }
  const expected = {}
  for (const [name, dataset] of Object.entries(files)) {
    await dataset.toFile(join(folder, name))
    expected[name] = Object.fromEntries(
      dataset.columnNames.map((column) => [column, dataset.column(column).map((value) => plainValue(value))]),
    )
  }
  writeFileSync(join(folder, 'expected.json'), JSON.stringify(expected))
}

/** Large integers as texts, which Python turns into integers; missing labels as null. */
function plainValue(value) {
  return typeof value === 'bigint' ? { integer: String(value) } : Number.isNaN(value) ? null : value
}
