import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { cardConfigs } from '../../../lib/data/hub/card.js'
import { parseSplit } from '../../../lib/data/hub/dataset-files.js'
import { chooseFiles, conversionLayout, repositoryLayout } from '../../../lib/data/hub/splits.js'
import { loadBeir } from '../../../lib/evaluation/beir.js'
import { DataStream, Dataset } from '../../../lib/index.js'
import { readNpy } from '../../../lib/search/hard-negatives/npy.js'
import { changedFiles, type Files, type Json } from '../case.js'
import { expect } from '../judge.js'
import { fileEdits, mutated } from '../mutate.js'
import type { Target } from './target.js'

const csv = 'anchor,positive,label\nthe cat,"a ""cat"", too",1\n"two\nlines",b,0.5\nx,y,-3e2\n'
const tsv = 'text\tscore\nthe cat\t1\n"not quoted\t2.5\n12345678901234567890\t0\n'
const jsonl = '{"a":"x","b":[1,2],"label":1}\n{"a":"y","b":[],"label":0}\n\n{"a":"é","b":[3.5],"label":null}\n'
const rows = [
  { query: 'a', '1': ['x', 'y'], label: [0, 1] },
  { query: 'b', '1': ['z', ''], label: [1, 0] },
]
const card = `---
license: mit
configs:
- config_name: pair
  default: true
  data_dir: x
  data_files:
  - split: train
    path: pair/train-*
  - split: dev
    path:
    - "pair/**/dev-[0-9].parquet"
    - pair/dev-?.parquet
---
# text
`
const listing = [
  'README.md',
  'x/pair/train-0.parquet',
  'pair/dev-1.parquet',
  'default/train/0000.parquet',
  'data/test-00000-of-00002.parquet',
]

const NPY = `\x93NUMPY\x01\x00\x76\x00${"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }".padEnd(117)}\n`

/** Bases of a case: endings of data files, and the texts that say which files and rows to take. */
const files: Files = {
  csv: Buffer.from(csv),
  tsv: Buffer.from(tsv),
  jsonl: Buffer.from(jsonl),
  json: rows,
  'csv.gz': gzipSync(csv),
  'jsonl.gz': gzipSync(jsonl),
  card: Buffer.from(card),
  listing,
  split: Buffer.from('train[10%:-20]'),
  npy: Buffer.concat([Buffer.from(NPY, 'latin1'), Buffer.alloc(24, 1)]),
  'corpus.jsonl': Buffer.from('{"_id":"d1","title":"t","text":"a"}\n{"_id":"d2","text":"b"}\n'),
  'queries.jsonl': Buffer.from('{"_id":"q1","text":"a"}\n'),
  'qrels/test.tsv': Buffer.from('query-id\tcorpus-id\tscore\nq1\td1\t1\nq1\td2\t0\n'),
}
const beir = ['corpus.jsonl', 'queries.jsonl', 'qrels/test.tsv']
const readers = ['csv', 'tsv', 'jsonl', 'json', 'csv.gz', 'jsonl.gz']

const tokens: Json[] = [
  ...[
    '"',
    '""',
    ',',
    '\t',
    '\n',
    '\r\n',
    '\r',
    '\ufeff',
    '\0',
    'nan',
    '1e5',
    '-0',
    '0x10',
    '12345678901234567890',
    'label',
  ],
  ...[
    '{',
    '}',
    '[',
    ']',
    ':',
    'null',
    'true',
    '\\u',
    '\\ud800',
    '{"a":1}',
    '[1,',
    '"__proto__":{"x":1}',
    '1e999',
    '\\',
  ],
  ...[
    '*',
    '**',
    '**/',
    '?',
    '[',
    ']',
    '[!a]',
    '[z-a]',
    '[]',
    '*a*a*a*a*a*a*a*b',
    '../',
    '\\',
    '- split: ',
    'path: ',
    '---\n',
  ],
  ...[
    'config_name: ',
    'data_files:\n',
    'default: true',
    ': ',
    '- ',
    '"',
    "'",
    '%',
    '[:',
    ':]',
    '-',
    '1e3',
    '99999999999',
    '.5',
  ],
]
const options: Json = { columns: ['label', 'anchor'], header: true, dtype: { label: 'string' }, field: 'data' }

/** Data files, and what says which of them to read. */
export const dataset: Target = {
  warm: { base: 'csv', edits: [] },

  make(random) {
    const base = random.pick([...readers, 'csv', 'jsonl', 'json', 'card', 'split', 'npy', 'beir'])
    const names = base === 'card' ? ['card', 'card', 'listing'] : base === 'beir' ? beir : [base]
    const edits = fileEdits(random, files, names, tokens)
    return {
      base,
      edits,
      plan: { options: random.oneIn(4) ? mutated(random, options, tokens) : {}, stream: random.oneIn(4) },
    }
  },

  async run({ base, edits, plan }, folder) {
    const changed = changedFiles(files, edits)
    const content = (name: string) => changed.get(name) ?? (files[name] as Uint8Array)
    if (base === 'split') return checkSplit(content(base))
    if (base === 'card') return checkCard(content(base), changed.get('listing'))
    if (base === 'beir') return checkBeir(folder, content)
    const path = join(folder, `data.${base}`)
    const bytes = changed.has(base) ? changed.get(base)! : base === 'json' ? JSON.stringify(rows) : content(base)
    if (bytes !== null) writeFileSync(path, bytes)
    const { options = {}, stream } = (plan ?? {}) as { options?: object; stream?: boolean }
    if (base === 'npy') return checkNpy(path)
    if (stream) return checkStream(path, options)
    const data = await Dataset.fromFile(path, options)
    for (const name of data.columnNames) {
      expect(data.column(name).length === data.length, 'columns are as long as the dataset')
    }
    let count = 0
    for (const row of data) {
      expect(Object.keys(row).length === data.columnNames.length, 'rows have all columns')
      count++
    }
    expect(count === data.length, 'there are as many rows as the dataset is long')
  },
}

async function checkStream(path: string, options: object): Promise<void> {
  for await (const row of DataStream.fromFile(path, options)) expect(typeof row === 'object', 'rows are objects')
}

async function checkNpy(path: string): Promise<void> {
  const found = await readNpy(path, 2, 3)
  expect(found === undefined || found.data.length === 6, 'there are as many values as were asked for')
}

async function checkBeir(folder: string, content: (name: string) => Uint8Array): Promise<void> {
  mkdirSync(join(folder, 'qrels'), { recursive: true })
  for (const name of beir) writeFileSync(join(folder, name), content(name))
  const { queries, corpus } = await loadBeir(folder)
  for (const text of [...queries.values(), ...corpus.values()]) expect(typeof text === 'string', 'texts are texts')
}

function checkSplit(bytes: Uint8Array): void {
  const { split, rows } = parseSplit(Buffer.from(bytes).toString())
  const [from, to] = rows?.(1000) ?? [0, 0]
  expect(split !== '' && from >= 0 && from <= to && to <= 1000, 'a split is a part of the rows')
}

function checkCard(bytes: Uint8Array, listed: Uint8Array | null | undefined): void {
  const card = Buffer.from(bytes).toString()
  const names = listed === undefined ? listing : namesIn(String(listed))
  cardConfigs(card)
  const layout = repositoryLayout(names, card)
  for (const one of [layout, conversionLayout(names)]) {
    if (one === undefined) continue
    for (const file of chooseFiles('org/data', one, undefined, 'train'))
      expect(names.includes(file), 'files are listed ones')
  }
}

function namesIn(json: string): string[] {
  try {
    return [JSON.parse(json)].flat().filter((name) => typeof name === 'string')
  } catch {
    return []
  }
}
