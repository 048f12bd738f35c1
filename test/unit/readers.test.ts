import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync, gzipSync } from 'node:zlib'
import test from 'ava'
import fc from 'fast-check'
import { Dataset } from '../../lib/data/dataset.js'

const shared = new URL('../../../../shared/data/', import.meta.url)
const folder = mkdtempSync(join(tmpdir(), 'readers-test-'))
let count = 0

function file(extension: string, content: string | Uint8Array): string {
  const path = join(folder, `${count++}.${extension}`)
  writeFileSync(path, content)
  return path
}

const read = (extension: string, content: string | Uint8Array) => Dataset.fromFile(file(extension, content))
const rowsOf = (dataset: Dataset) => Array.from({ length: dataset.length }, (_, i) => dataset.row(i))

test('JSONL: columns in the order of the first row, blank lines skipped, with or without a last newline', async (t) => {
  const content = '{"b":"1","a":" x\\ny ","score":0.5}\r\n\n  \n{"a":"\ufeff","score":-1e3,"b":"2"}'
  for (const text of [content, `${content}\n`, `${content}\r\n`]) {
    const dataset = await read('jsonl', text)
    t.deepEqual(dataset.columnNames, ['b', 'a', 'score'])
    t.deepEqual(rowsOf(dataset), [
      { b: '1', a: ' x\ny ', score: 0.5 },
      { b: '2', a: '\ufeff', score: -1000 },
    ])
  }
  t.is((await Dataset.fromFile(file('jsonl', ''), { columns: ['a'] })).length, 0)
})

test('TSV: no quoting, spaces kept, labels are numbers', async (t) => {
  const content = 'a\tb\tlabel\n"x\t y" \t1\n\t\'\u00a0\u200b\t-2.5e1\n'
  for (const text of [content, content.trimEnd(), content.replaceAll('\n', '\r\n')]) {
    t.deepEqual(rowsOf(await read('tsv', text)), [
      { a: '"x', b: ' y" ', label: 1 },
      { a: '', b: "'\u00a0\u200b", label: -25 },
    ])
  }
  t.is((await read('tsv', 'a\tb\n')).length, 0)
})

test('CSV: quotes, commas, newlines and doubled quotes inside quotes', async (t) => {
  const content = 'a,"b,b",score\n"x, ""y""\nz", w ,1\n"",,2\n'
  const expected = [
    { a: 'x, "y"\nz', 'b,b': ' w ', score: 1 },
    { a: '', 'b,b': '', score: 2 },
  ]
  t.deepEqual(rowsOf(await read('csv', content)), expected)
  t.deepEqual(rowsOf(await read('csv', content.trimEnd())), expected)
  const crlf = await read('csv', content.replaceAll('\n', '\r\n'))
  t.deepEqual(
    rowsOf(crlf),
    [{ ...expected[0], a: 'x, "y"\r\nz' }, expected[1]!],
    'a line break inside quotes is content',
  )
  t.deepEqual(rowsOf(await read('csv', 'a\n\nx\n""\n')), [{ a: 'x' }, { a: '' }], 'a blank line is no row')
})

const cells = fc.array(fc.array(fc.string({ unit: 'binary' }), { minLength: 2, maxLength: 2 }), { maxLength: 8 })
/** Texts, even if all of a column look like numbers. */
const dtype = { a: 'string', b: 'string' } as const
const wellFormed = (text: string) => Buffer.from(text).toString()

test('CSV: every text survives quoting', async (t) => {
  const quote = (text: string) => `"${text.replaceAll('"', '""')}"`
  await fc.assert(
    fc.asyncProperty(cells, async (rows) => {
      const expected = rows.map(([a, b]) => ({ a: wellFormed(a!), b: wellFormed(b!) }))
      const lines = ['a,b', ...expected.map(({ a, b }) => `${quote(a)},${quote(b)}`)]
      const dataset = await Dataset.fromFile(file('csv', lines.join('\n')), { dtype })
      t.deepEqual(rowsOf(dataset), expected)
    }),
    { numRuns: 60 },
  )
})

test('JSONL and TSV: every text survives', async (t) => {
  await fc.assert(
    fc.asyncProperty(cells, async (rows) => {
      const texts = rows.map(([a, b]) => ({ a: wellFormed(a!), b: wellFormed(b!) }))
      const content = texts.map((row) => `${JSON.stringify(row)}\n`).join('')
      const lines = await Dataset.fromFile(file('jsonl', content), { columns: ['a', 'b'] })
      t.deepEqual(rowsOf(lines), texts)
      const plain = texts.map(({ a, b }) => ({ a: a.replace(/[\t\n\r]/g, ' '), b: b.replace(/[\t\n\r]/g, ' ') }))
      const table = ['a\tb', ...plain.map(({ a, b }) => `${a}\t${b}`)].map((line) => `${line}\n`).join('')
      const tsv = await Dataset.fromFile(file('tsv', table), { dtype })
      t.deepEqual(rowsOf(tsv), plain)
    }),
    { numRuns: 60 },
  )
})

test('a byte-order mark goes at the start of the file only', async (t) => {
  t.deepEqual(rowsOf(await read('tsv', '\ufeffa\n\ufeffx\n')), [{ a: '\ufeffx' }])
  t.deepEqual(rowsOf(await read('csv', '\ufeff"a"\n\ufeffx\n')), [{ a: '\ufeffx' }])
  t.deepEqual(rowsOf(await read('jsonl', '\ufeff{"a":"x"}\n')), [{ a: 'x' }])
  // A line may also be the first one of a later read.
  const many = await read('tsv', `a\n${'\ufeffx\n'.repeat(200_000)}`)
  t.true(many.texts('a').every((text) => text === '\ufeffx'))
})

test('files larger than a read, and gzip, line numbers included', async (t) => {
  const lines = Array.from({ length: 30_000 }, (_, i) => `text ${i} é\u{1f600}\t${i}`)
  const content = `text\tscore\n${lines.join('\n')}\n`
  t.true(Buffer.byteLength(content) > 2 ** 19)
  for (const dataset of [await read('tsv', content), await read('tsv.gz', gzipSync(content))]) {
    t.is(dataset.length, 30_000)
    t.deepEqual(dataset.row(29_999), { text: 'text 29999 é\u{1f600}', score: 29_999 })
  }
  const long = { a: 'x'.repeat(2 ** 20), b: 'é'.repeat(2 ** 19) }
  t.deepEqual(rowsOf(await read('jsonl', JSON.stringify(long))), [long])
  await t.throwsAsync(read('tsv', `${content}x\tno\n`), { message: /line 30002/ })
  const bytes = Buffer.concat([Buffer.from(content), Buffer.from([0xff, 0x0a])])
  await t.throwsAsync(read('tsv', bytes), { code: 'ERR_INVALID_DATA', message: /UTF-8 in line 30002/ })
})

test('columns can be chosen', async (t) => {
  const path = file('tsv', 'id\ta\tb\tscore\tlabel\n1\tx\ty\t3.5\t0\n')
  t.deepEqual(rowsOf(await Dataset.fromFile(path, { columns: ['b', 'a', 'score'] })), [{ b: 'y', a: 'x', score: 3.5 }])
  await t.throwsAsync(Dataset.fromFile(path, { columns: ['c'] }), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /id, a, b.*"c"/,
  })
  const ragged = file('jsonl', '{"a":"x","extra":1}\n{"b":"y","a":"z"}\n')
  t.deepEqual(rowsOf(await Dataset.fromFile(ragged, { columns: ['a'] })), [{ a: 'x' }, { a: 'z' }])
  await t.throwsAsync(Dataset.fromFile(ragged, { columns: ['b'] }), { code: 'ERR_INVALID_DATA', message: /line 1/ })
})

test('JSON: an array of objects, cut anywhere', async (t) => {
  const rows = [
    { text: 'a "quoted" \\ [text], {really}\n', list: ['x', '],['], label: 1 },
    { text: '', list: [], label: null },
  ]
  const dataset = await read('json', JSON.stringify(rows, undefined, 2))
  t.deepEqual(rowsOf(dataset), [rows[0], { ...rows[1], label: Number.NaN }] as never)
  const empty = file('json', '\ufeff [ ] \n')
  t.is((await Dataset.fromFile(empty, { columns: ['a'] })).length, 0)
  const many = Array.from({ length: 20_000 }, (_, i) => ({ text: `é${i}"]`, label: i }))
  const bytes = gzipSync(JSON.stringify(many))
  t.deepEqual(rowsOf(await read('json.gz', bytes)), many)
})

test('JSON: malformed arrays are refused with the element', async (t) => {
  const cases: [string, RegExp][] = [
    ['{"a":"x"}\n', /"\[", at the beginning.*the keys a; .*ends in \.jsonl/],
    ['{"version":"[","data":[{"a":"x"}]}', /the keys version, data; \{ field: "data" \} reads/],
    ['"x"', /"\[", at the beginning in .*found "\\"x\\""/],
    ['[{"a":"x"}', /ends with "\]"/],
    ['[{"a":"x"}] x', /nothing behind the array/],
    ['[{"a":"x"},]', /JSON in element 1/],
    ['[,{"a":"x"}]', /JSON in element 0/],
    ['[{"a":"x"} {"a":"y"}]', /JSON in element 0/],
    ['[{"a":"x"},{"b":"y"}]', /keys a in element 1 of .*, found b/],
    ['[3]', /an object in element 0/],
    ['', /found an empty file/],
    ['[]', /at least one row in .*found none/],
    ['[{}]', /at least one row in .*only objects without keys/],
  ]
  for (const [content, message] of cases) {
    await t.throwsAsync(read('json', content), { code: 'ERR_INVALID_DATA', message }, content)
  }
})

test('labels that are absent in a file', async (t) => {
  const dataset = await read('csv', 'a,label\nx,1\ny,-\nz,\nw,-1\n')
  const { dataset: kept, dropped } = await dataset.dropUnlabelled()
  t.deepEqual(rowsOf(kept), [{ a: 'x', label: 1 }])
  t.is(dropped, 3)
})

test('several files are read one after the other', async (t) => {
  const [first, second, other] = [file('tsv', 'a\tb\n1\t2\n'), file('csv', 'a,b\n3,4\n'), file('tsv', 'b\ta\n3\t4\n')]
  t.deepEqual(rowsOf(await Dataset.fromFile([first, second])), [
    { a: 1, b: 2 },
    { a: 3, b: 4 },
  ])
  t.is((await Dataset.fromFile([first, other], { columns: ['b'] })).length, 2)
  await t.throwsAsync(Dataset.fromFile([first, other]), {
    code: 'ERR_INVALID_DATA',
    message: /columns a, b in .*found b, a/,
  })
  await t.throwsAsync(Dataset.fromFile([]), { code: 'ERR_INVALID_ARGUMENT' })
})

const refused: [string, string, string | Uint8Array, RegExp][] = [
  ['not JSON', 'jsonl', '{"a":"x"}\n\n{"a":\n', /line 3 of /],
  ['no object', 'jsonl', '{"a":"x"}\n["x"]\n', /an object in line 2 of /],
  ['other keys', 'jsonl', '{"a":"x"}\n\n{"b":"x"}\n', /the keys a in line 3 of .*, found b/],
  ['a label that is a text', 'jsonl', '{"label":"1"}\n', /finite number in column "label", row 0/],
  ['bytes that are not UTF-8', 'jsonl', Buffer.from([0x7b, 0x7d, 0x0a, 0x22, 0xc3, 0x28, 0x22]), /UTF-8 in line 2/],
  ['a surrogate in UTF-8', 'tsv', Buffer.from([0x61, 0x0a, 0xed, 0xa0, 0x80, 0x0a]), /UTF-8 in line 2/],
  ['a field too few', 'tsv', 'a\tb\nx\ty\nx\n', /2 fields \(a, b\) in line 3 of .*, found 1/],
  ['a field too few behind blank lines', 'tsv', '\na\tb\n\nx\n', /line 4 of .*found 1/],
  ['a field too few behind a CR', 'csv', 'a,b\rx,y\r\rx\r', /line 4 of .*found 1/],
  ['an empty file of lines', 'jsonl', '', /at least one row/],
  ['a large integer as label', 'csv', 'a,label\nx,9007199254740993\n', /at most 2\^53 in column "label" in line 2 of/],
  [
    'a large integer as label in JSON',
    'jsonl',
    '{"label":9007199254740993}\n',
    /2\^53.*"label", row 0.*9007199254740993/,
  ],
  ['a hexadecimal label', 'tsv', 'a\tlabel\nx\t0x10\n', /number in column "label" in line 2 of .*"0x10"/],
  ['a label that is infinite', 'csv', 'a,score\nx,inf\n', /finite number .*in line 2/],
  [
    'gzip under another name',
    'csv',
    gzipSync('a,b\nx,y\n'),
    /UTF-8 in line 1 of .*gzip data: its name must end in \.gz/,
  ],
  [
    'lists without end',
    'jsonl',
    `{"a":${'['.repeat(5e5)}${']'.repeat(5e5)}}`,
    /less deep lists and objects in "a" in line 1/,
  ],
  ['UTF-16', 'csv', Buffer.from('\ufeffa,b\n', 'utf16le'), /line 1 of .*UTF-16: save it as UTF-8/],
  ['bytes that are not UTF-8 behind CRs', 'csv', Buffer.from([0x61, 0x0d, 0x62, 0x0d, 0xff]), /UTF-8 in line 3/],
  ['a label that is no number', 'tsv', 'a\tscore\nx\t1\ny\tgood\n', /number in column "score" in line 3 of .*"good"/],
  ['a column twice', 'tsv', 'a\ta\nx\ty\n', /"a" of .* comes twice/],
  ['a reserved column', 'csv', 'return_loss\nx\n', /reserved/],
  ['an empty TSV', 'tsv', '', /header line/],
  ['an empty CSV', 'csv', '', /header line/],
  ['a quote that stays open', 'csv', 'a\nx\n"y\nz\n', /end of the quoted field that begins in line 3/],
  ['a quote inside a bare field', 'csv', 'a,b\nx"y"z,1\n', /quotes around the whole field or none in line 2/],
  ['text after a quoted field', 'csv', 'a\n"x"y\n', /comma after a quoted field in line 2 of .*"y"/],
  ['a field too many after a quoted newline', 'csv', 'a\n"x\ny"\nx,y\n', /1 fields \(a\) in line 4/],
]

for (const [what, extension, content, message] of refused) {
  test(`refused with the line, ${extension}: ${what}`, async (t) => {
    await t.throwsAsync(read(extension, content), { code: 'ERR_INVALID_DATA', message })
  })
}

test('files that cannot be read say why', async (t) => {
  await t.throwsAsync(Dataset.fromFile(join(folder, 'none.jsonl')), { code: 'ERR_NOT_FOUND', message: /none.jsonl/ })
  await t.throwsAsync(Dataset.fromFile(join(folder, 'none.jsonl.gz')), { code: 'ERR_NOT_FOUND' })
  await t.throwsAsync(Dataset.fromFile('x.parquet'), { code: 'ERR_NOT_FOUND', message: /x\.parquet/ })
  await t.throwsAsync(Dataset.fromFile('x.json'), { code: 'ERR_NOT_FOUND' })
  await t.throwsAsync(Dataset.fromFile('x.arrow'), { code: 'ERR_NOT_IMPLEMENTED', message: /\.arrow/ })
  await t.throwsAsync(Dataset.fromFile('x.parquet.gz'), { code: 'ERR_INVALID_ARGUMENT' })
  await t.throwsAsync(read('parquet', 'PAR1 but no more'), { code: 'ERR_INVALID_FILE', message: /whole Parquet file/ })
  await t.throwsAsync(Dataset.fromFile('x.txt'), { code: 'ERR_INVALID_ARGUMENT', message: /\.jsonl, \.json, \.csv/ })
  await t.throwsAsync(Dataset.fromFile('x'), { code: 'ERR_INVALID_ARGUMENT' })
  await t.throwsAsync(Dataset.fromFile(3 as never), { code: 'ERR_INVALID_ARGUMENT' })
  const whole = gzipSync('{"a":"x"}\n'.repeat(100))
  await t.throwsAsync(read('jsonl.gz', whole.subarray(0, whole.length - 12)), {
    code: 'ERR_INVALID_FILE',
    message: /gzip/,
  })
  await t.throwsAsync(read('jsonl.gz', 'no gzip'), { code: 'ERR_INVALID_FILE', message: /gzip.*not compressed/ })
  for (const name of ['folder', 'folder.csv', 'folder.parquet', 'folder.json.gz']) {
    const path = join(folder, name)
    mkdirSync(path)
    await t.throwsAsync(Dataset.fromFile(path), { code: 'ERR_INVALID_ARGUMENT', message: /found the folder .*folder/ })
  }
})

/** Rows as ../shared/data/README.md counts them. */
const real: [string, number, string[], string[]?][] = [
  ['stsb/train.tsv', 5749, ['sentence1', 'sentence2', 'score']],
  ['sick/train.tsv', 4487, ['sentence1', 'sentence2', 'score'], ['sentence1', 'sentence2', 'score']],
  ['nli/mnli-train-13k.jsonl', 12_988, ['premise', 'hypothesis', 'label']],
  ['nli/lingnli-train.jsonl.gz', 44_983, ['premise', 'hypothesis', 'label']],
  ['banking77/train.jsonl', 10_003, ['text', 'category']],
  ['paraphrase/mrpc-train.tsv', 3948, ['sentence1', 'sentence2', 'label']],
  ['squad/dev-passages.jsonl', 1000, ['passage_id', 'passage', 'title']],
  ['squad/train-question-sentences.jsonl', 9998, ['question', 'answer_sentence'], ['question', 'answer_sentence']],
  ['cranfield/corpus.jsonl', 1400, ['_id', 'title', 'text']],
]

for (const [name, rows, names, columns] of real) {
  test(`real data: ${name}`, async (t) => {
    const url = new URL(name, shared)
    if (!existsSync(url)) {
      t.log('skipped: ../shared/data is not there')
      return t.pass()
    }
    const dataset = await Dataset.fromFile(fileURLToPath(url), { columns })
    t.is(dataset.length, rows)
    t.deepEqual(dataset.columnNames, names)
    const bytes = readFileSync(url)
    const lines = (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString().split('\n')
    for (const index of [0, rows >> 1, rows - 1]) {
      const parsed = name.endsWith('.tsv') ? undefined : (JSON.parse(lines[index]!) as Record<string, unknown>)
      const header = lines[0]!.split('\t')
      for (const column of names) {
        const expected = parsed ? parsed[column] : lines[index + 1]!.split('\t')[header.indexOf(column)]
        t.is(String(dataset.column(column)[index]), String(column === 'score' ? Number(expected) : expected))
      }
    }
  })
}
