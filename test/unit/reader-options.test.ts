import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import test from 'ava'
import { Dataset } from '../../lib/data/dataset.js'
import { DataStream } from '../../lib/data/stream.js'

const folder = mkdtempSync(join(tmpdir(), 'reader-options-test-'))
let count = 0

function file(extension: string, content: string): string {
  const path = join(folder, `${count++}.${extension}`)
  writeFileSync(path, content)
  return path
}

const read = (extension: string, content: string) => Dataset.fromFile(file(extension, content))
const rowsOf = (dataset: Dataset) => Array.from({ length: dataset.length }, (_, i) => dataset.row(i))

test('large integers are bigints, everywhere; nothing is rounded', async (t) => {
  const large = 9007199254740993n
  const rows = Array.from({ length: 40 }, (_, i) => [large + BigInt(i), `text ${i}`] as const)
  const lists = rows.map(([id, text]) => `{"id":${id},"text":"${text} 9007199254740993","at":{"x":[-${id}, 1.5e300]}}`)
  const files = {
    jsonl: lists.join('\n'),
    json: `[${lists.join(', ')}]`,
    csv: ['id,text', ...rows.map(([id, text]) => `${id},${text}`), ',none'].join('\n'),
    tsv: ['id\ttext', ...rows.map(([id, text]) => `${id}\t${text}`), '7\tseven'].join('\n'),
  }
  for (const [extension, content] of Object.entries(files)) {
    const dataset = await read(extension, content)
    t.deepEqual(
      dataset.column('id').slice(0, 40),
      rows.map(([id]) => id),
      extension,
    )
    const distinct = await dataset.dropDuplicates({ columns: ['id'] })
    t.is(distinct.length, dataset.length)
    t.is((await dataset.filter(({ id }) => id === large + 7n)).length, 1)
    const twice = await Dataset.concatenate([dataset, dataset])
    t.is((await twice.dropDuplicates()).length, dataset.length)
    const { train, test } = await twice.trainTestSplit({ groupBy: 'id', testSize: 0.5 })
    t.true(train.column('id').every((id) => !test.column('id').includes(id)))
    t.deepEqual(
      (await dataset.map(({ id }) => ({ next: (id as bigint | null) ?? 0 }))).column('next').slice(0, 40),
      rows.map(([id]) => id),
    )
  }
  t.deepEqual((await read('jsonl', files.jsonl)).column('at')[1], { x: [-large - 1n, 1.5e300] })
  t.is((await read('jsonl', files.jsonl)).column('text')[0], 'text 0 9007199254740993')
  t.deepEqual((await read('csv', files.csv)).column('id')[40], null)
  t.deepEqual((await read('jsonl', '{"a":123456789012345678901234567890}')).column('a'), [
    123456789012345678901234567890n,
  ])
})

test('dtype: texts, whatever they look like', async (t) => {
  const path = file('csv', 'code,n\n007,1\n,2\n')
  t.deepEqual(rowsOf(await Dataset.fromFile(path)), [
    { code: 7, n: 1 },
    { code: null, n: 2 },
  ] as never)
  t.deepEqual((await Dataset.fromFile(path, { dtype: { code: 'string' } })).column('code'), ['007', ''])
  const late = file('tsv', `a\n${'1\n'.repeat(10_000)}x\n`)
  await t.throwsAsync(Dataset.fromFile(late), {
    code: 'ERR_INVALID_DATA',
    message: /a number in column "a" in line 10002 of .*"x".*dtype: \{ "a": 'string' \}/,
  })
  t.is((await Dataset.fromFile(late, { dtype: { a: 'string' } })).length, 10_001)
  await t.throwsAsync(Dataset.fromFile(path, { dtype: { id: 'string' } }), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /some of code, n .* for dtype.*"id"/,
  })
  await t.throwsAsync(Dataset.fromFile(path, { dtype: { n: 'int' as never } }), { message: /'string' for dtype\.n/ })
})

test('options that a format does not take are refused', async (t) => {
  const refused: [string, object, RegExp][] = [
    [file('jsonl', '{"a":"x"}'), { header: false, columns: ['a'] }, /\.csv or \.tsv for the option header/],
    [file('csv', 'a\n'), { field: 'data' }, /\.json for the option field/],
    [file('json', '[]'), { dtype: { a: 'string' } }, /option dtype/],
    [file('csv', 'a\n'), { header: false }, /names of all columns.* for columns/],
    [file('csv', 'a\n'), { header: 0 }, /true or false for header/],
    [file('csv', 'a\n'), { columns: 1 as never }, /array of names for columns/],
    [file('json', '[]'), { field: 1 }, /a key for field/],
  ]
  for (const [path, options, message] of refused) {
    await t.throwsAsync(Dataset.fromFile(path, options), { code: 'ERR_INVALID_ARGUMENT', message })
    t.throws(() => DataStream.fromFile(path, options), { code: 'ERR_INVALID_ARGUMENT', message })
  }
  await t.throwsAsync(Dataset.fromFile(file('csv', 'a\n'), { head: false } as never), { code: 'ERR_UNKNOWN_OPTION' })
})

test('files that end lines with CR, larger than a read', async (t) => {
  const rows = Array.from({ length: 60_000 }, (_, i) => `"text\r${i} é",${i}`)
  const content = `text,score\r${rows.join('\r')}\r`
  t.true(Buffer.byteLength(content) > 2 ** 20)
  const dataset = await read('csv', content)
  t.is(dataset.length, 60_000)
  t.deepEqual(dataset.row(59_999), { text: 'text\r59999 é', score: 59_999 })
  const crlf = await read('csv', content.replaceAll('\r', '\r\n'))
  t.deepEqual(crlf.row(59_999), { text: 'text\r\n59999 é', score: 59_999 })
  await t.throwsAsync(read('csv', `${content}x,no\r`), { message: /line 120002 of/ })
  t.deepEqual(rowsOf(await read('csv', 'a,b\r"\r\r",1\r\r"\r\r\n\r",2\r')), [
    { a: '\r\r', b: 1 },
    { a: '\r\r\n\r', b: 2 },
  ])
  // The end of a line may be cut anywhere.
  for (let size = 2 ** 18 - 3; size <= 2 ** 18 + 1; size++) {
    const first = 'x'.repeat(size - 2)
    t.deepEqual((await read('tsv', `a\r${first}\ry\r`)).texts('a'), [first, 'y'])
    t.deepEqual((await read('tsv', `a\r\n${first}\r\ny\r\n`)).texts('a'), [first, 'y'])
  }
})

test('a field of a JSON file, cut anywhere', async (t) => {
  const rows = Array.from({ length: 20_000 }, (_, i) => ({ text: `é${i}"]`, label: i }))
  const before = { 'a "data"': 'data', list: ['data', { data: [] }], text: 'x'.repeat(2 ** 18) }
  const content = JSON.stringify({ ...before, data: rows, after: [] }, undefined, 1)
  t.deepEqual(rowsOf(await Dataset.fromFile(file('json', content), { field: 'data' })), rows)
  const refused: [string, RegExp][] = [
    ['[]', /an object with the key "data"/],
    ['{"a":{"data":[]}}', /key "data" .*found the keys a$/],
    ['{"data":{"a":["x"]}}', /an array of rows under the key "data"/],
    ['{"data":[{"a":"x"}', /ends with "\]"/],
    ['', /key "data" .*found none/],
  ]
  for (const [text, message] of refused) {
    await t.throwsAsync(Dataset.fromFile(file('json', text), { field: 'data' }), { code: 'ERR_INVALID_DATA', message })
  }
})

test('a header that looks like a row is warned of, once', async (t) => {
  const warned: (Error & { code?: string; detail?: string })[] = []
  const listen = (warning: Error) => warned.push(warning)
  process.on('warning', listen)
  const codes = async (extension: string, content: string, options = {}) => {
    warned.length = 0
    const path = file(extension, content)
    await Dataset.fromFile(path, options)
    await Dataset.fromFile(path, options)
    await setImmediate()
    return warned.map(({ code }) => code)
  }
  const pair = 'How do I learn to cook?\tHow can one learn cooking?\n'
  t.deepEqual(await codes('tsv', `${pair}x\ty\n`), ['WARN_HEADER'])
  t.regex(warned[0]!.message, /"How do I learn to cook\?"/)
  t.regex(warned[0]!.detail!, /header: false, columns/)
  t.deepEqual(await codes('tsv', 'dog\tcat\t1\nx\ty\t0\n'), ['WARN_HEADER'])
  t.deepEqual(await codes('csv', 'cat,dog\nmouse,dog\n'), ['WARN_HEADER'])
  t.deepEqual(await codes('csv', 'a man is playing guitar,a man plays guitar\nb,c\n'), ['WARN_HEADER'])
  t.deepEqual(await codes('tsv', `${pair}x\ty\n`, { header: false, columns: ['a', 'b'] }), [])
  const fine = ['0,1,2', ',text,b', 'text a,text b,c', 'What is your question?,answer,b', 'sentence1,b,5']
  for (const header of fine) t.deepEqual(await codes('csv', `${header}\nx,y,z\n`), [], header)
  process.off('warning', listen)
})
