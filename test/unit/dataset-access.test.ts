// Rows and columns as Python has them: from the end, one name for a list of one, in a loop, on the screen, with class names.
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import test from 'ava'
import { classNamesOf } from '../../lib/data/class-names.js'
import { Dataset } from '../../lib/data/dataset.js'
import { DataStream } from '../../lib/data/stream.js'
import { NanoBEIREvaluator, TripletEvaluator } from '../../lib/evaluation/index.js'
import { resolveArguments } from '../../lib/training/arguments/arguments.js'
import { parameterGroups } from '../../lib/training/arguments/parameter-groups.js'

const argument = { code: 'ERR_INVALID_ARGUMENT' }
const dataset = Dataset.fromRows([
  { anchor: 'a0', positive: 'p0', idx: 10, label: 0 },
  { anchor: 'a1', positive: 'p1', idx: 11, label: 1 },
  { anchor: 'a2', positive: 'p0', idx: 12, label: 2 },
])

test('a name is a list of one, wherever names are taken', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'names-'))
  const path = join(folder, 'a.jsonl')
  writeFileSync(path, '{"text":"x","other":"y"}\n')
  t.deepEqual(dataset.removeColumns('idx').columnNames, ['anchor', 'positive', 'label'])
  t.deepEqual(dataset.selectColumns('positive').columnNames, ['positive'])
  const mapped = await dataset.map(({ anchor }) => ({ long: `${anchor}!` }), { removeColumns: 'anchor' })
  t.deepEqual(mapped.columnNames, ['positive', 'idx', 'label', 'long'])
  t.is((await dataset.dropDuplicates({ columns: 'positive' })).length, 2)
  const { train, test } = await dataset.trainTestSplit({ testSize: 1, groupBy: 'positive' })
  t.deepEqual([train.length, test.texts('positive')], [2, ['p1']])
  t.deepEqual((await Dataset.fromFile(path, { columns: 'other' })).columnNames, ['other'])
  t.deepEqual((await DataStream.fromFile(path, { columns: 'other' }).head()).columnNames, ['other'])

  const tensors = ['bert.pooler.weight', 'bert.embeddings.weight'].map((name) => ({
    name,
    shape: [1],
    group: 'decay' as const,
  }))
  const frozen = (freeze: never) => parameterGroups(resolveArguments({ freeze }), tensors as never)!.groups
  t.deepEqual(frozen('pooler' as never), frozen(['pooler'] as never))
  t.deepEqual(frozen(/pooler/ as never), frozen(['pooler'] as never))
  const triplets = { anchors: ['a'], positives: ['b'], negatives: ['c'] }
  t.notThrows(() => new TripletEvaluator({ ...triplets, similarityFnNames: 'dot', mainSimilarity: 'dot' }))
  t.throws(() => new TripletEvaluator({ ...triplets, similarityFnNames: 'dot', mainSimilarity: 'cosine' }), argument)
  t.throws(() => new TripletEvaluator({ ...triplets, similarityFnNames: 'dott' as never }), argument)
  t.notThrows(() => new NanoBEIREvaluator({ datasetNames: 'nq', folder }))

  for (const wrong of [3, [3], null, { anchor: true }] as never[]) {
    t.throws(() => dataset.selectColumns(wrong), argument)
    t.throws(() => dataset.removeColumns(wrong), argument)
    await t.throwsAsync(
      dataset.map((row) => row, { removeColumns: wrong ?? (3 as never) }),
      argument,
    )
    await t.throwsAsync(dataset.dropDuplicates({ columns: wrong ?? (3 as never) }), argument)
    await t.throwsAsync(Dataset.fromFile(path, { columns: wrong }), argument)
  }
})

test('a text of several letters is one name, not its letters', async (t) => {
  const letters = Dataset.fromColumns({ i: ['x'], d: ['y'], id: ['z'] })
  t.deepEqual(letters.removeColumns('id').columnNames, ['i', 'd'])
  t.deepEqual(letters.selectColumns('id').columnNames, ['id'])
})

test('rows from the end, the first rows, all rows', (t) => {
  t.is(dataset.row(-1).anchor, 'a2')
  t.is(dataset.row(-3).anchor, 'a0')
  t.deepEqual(dataset.select([-1, 0]).texts('anchor'), ['a2', 'a0'])
  t.deepEqual(dataset.select(new Set([2, -3])).texts('anchor'), ['a2', 'a0'])
  t.deepEqual(dataset.select(Array(2).keys()).texts('anchor'), ['a0', 'a1'])
  t.deepEqual(
    [2, 9, 0, -1, -9].map((count) => dataset.head(count).texts('anchor')),
    [['a0', 'a1'], ['a0', 'a1', 'a2'], [], ['a0', 'a1'], []],
  )
  t.is(dataset.head().length, 3)
  t.is(dataset.head(-9).length, 0)
  t.deepEqual([...dataset], [dataset.row(0), dataset.row(1), dataset.row(2)])
  t.throws(() => dataset.row(-4), { ...argument, message: /from -3 to 2.*-4/ })
  t.throws(() => dataset.row('1' as never), argument)
  t.throws(() => dataset.head(0).row(0), { ...argument, message: /there are no rows/ })
  t.throws(() => dataset.head(1.5), argument)
  t.throws(() => dataset.select(2 as never), { ...argument, message: /array of row numbers/ })
  t.throws(() => dataset.select('12' as never), argument)
})

test('streams: the first rows, and all in a loop', async (t) => {
  let opened = 0
  let read = 0
  const stream = DataStream.from(function* () {
    opened++
    for (let i = 0; i < 9; i++) {
      read++
      yield { text: `${i}` }
    }
  })
  t.deepEqual((await stream.head(2)).texts('text'), ['0', '1'])
  t.is((await stream.head(0)).length, 0)
  t.is((await stream.head(20)).length, 9)
  const texts: unknown[] = []
  for await (const { text } of stream) texts.push(text)
  t.deepEqual(texts, ['0', '1', '2', '3', '4', '5', '6', '7', '8'])
  await t.throwsAsync(stream.head(-1), argument)
  const before = [opened, read]
  t.regex(inspect(stream), /^DataStream: .*shuffled among 10000\n.*head\(n\)/)
  t.regex(
    inspect({ a: DataStream.from(() => [], { length: 4, shuffleBuffer: 1 }) }),
    /DataStream: 4 rows, in their order/,
  )
  t.deepEqual([opened, read], before, 'nothing is read for printing')
})

test('console.log shows what the columns hold and the first rows', async (t) => {
  const named = await Dataset.fromFile(
    fileURLToPath(new URL('../../../test/parity/golden/data/class-names.parquet', import.meta.url)),
  )
  t.is(
    inspect(named),
    [
      'Dataset: 3 rows',
      '  text   text',
      '  label  label (0 entailment, 1 neutral, 2 contradiction)',
      '  tags   other (0 calm, 1 loud)',
      '  idx    other',
      "  [0] text: 'a', label: 2, tags: [ 1 ], idx: 0",
      "  [1] text: 'b', label: -1, tags: [], idx: 1",
      "  [2] text: 'c', label: 0, tags: [ 0, 1 ], idx: 2",
    ].join('\n'),
  )
  const long = Dataset.fromColumns({
    text: new Array(4).fill('x'.repeat(200)),
    label: [[1, 2, 3, 4, 5, 6, 7], [], [], []],
  })
  const lines = inspect(long).split('\n')
  t.is(lines[3], `  [0] text: '${'x'.repeat(79)}…', label: [ 1, 2, 3, 4, 5, ... 2 more items ]`)
  t.is(lines.at(-1), '  … 1 more')
  t.is(inspect(Dataset.fromRows([])), 'Dataset: 0 rows')
  t.is(inspect({ a: { b: { c: dataset } } }), '{ a: { b: { c: [Dataset: 3 rows] } } }')
  t.true(inspect(Dataset.fromColumns({ text: ['x'] }), { colors: true }).includes('\u001b['))
  t.regex(inspect(Dataset.fromColumns({ text: ['a\nb'] })), /text: 'a\\nb'/, 'one line a row')
})

test('class names follow their column', async (t) => {
  const named = await Dataset.fromFile(
    fileURLToPath(new URL('../../../test/parity/golden/data/class-names.parquet', import.meta.url)),
  )
  const names = ['entailment', 'neutral', 'contradiction']
  const of = (data: Dataset, column = 'label') => data.classNames(column)
  t.deepEqual(of(named.select([2, 0])), names)
  t.deepEqual(of(named.head(1)), names)
  t.deepEqual(of(named.selectColumns(['label', 'text'])), names)
  t.deepEqual(of(named.removeColumns('idx')), names)
  t.deepEqual(of(named.renameColumns({ label: 'gold' }), 'gold'), names)
  t.deepEqual(of(await named.filter(({ label }) => label !== -1)), names)
  t.deepEqual(of(await named.shuffle()), names)
  t.deepEqual(of((await named.dropUnlabelled()).dataset), names)
  t.deepEqual(of((await named.trainTestSplit({ testSize: 1 })).test), names)
  t.deepEqual(of(await named.dropDuplicates()), names)
  t.deepEqual(of(await Dataset.concatenate([named, named])), names)
  t.deepEqual(of(await named.map(({ text }) => ({ text: `${text}!` }))), names)
  t.deepEqual(of(await named.map((row) => row)), names, 'the same numbers mean the same')
  t.is(of(await named.map(({ label }) => ({ label: label === 0 ? 1 : 0 }))), undefined, 'others may not')
  t.throws(() => named.classNames('nothing'), argument)
  const plain = Dataset.fromColumns({ text: ['x'], label: [1], tags: [[1]], idx: [1] })
  t.deepEqual(of(await Dataset.concatenate([plain, named])), names)
  t.is(of(plain), undefined)
})

test('class names that contradict each other are no table', async (t) => {
  const table = (label: string[]) =>
    Dataset.fromChecked(
      new Map([
        ['text', { values: ['x'], kind: 'text' }],
        ['label', { values: [0], kind: 'label', classNames: label }],
      ]),
    )
  await t.throwsAsync(Dataset.concatenate([table(['yes', 'no']), table(['no', 'yes'])]), {
    code: 'ERR_INVALID_DATA',
    message: /classes yes, no in column "label" of dataset 1.*found no, yes/,
  })
  t.deepEqual((await Dataset.concatenate([table(['yes', 'no']), table(['yes', 'no'])])).classNames('label'), [
    'yes',
    'no',
  ])
})

test('features that say nothing, or nonsense, give no names', (t) => {
  const features = (label: unknown) => JSON.stringify({ info: { features: { label } } })
  const names = ['a', 'b']
  const classes = { names, _type: 'ClassLabel' }
  for (const feature of [
    classes,
    { feature: classes, _type: 'List' },
    { feature: classes, length: -1, _type: 'Sequence' },
    [classes],
  ]) {
    t.deepEqual(classNamesOf(features(feature)), new Map([['label', names]]))
  }
  const nothing = [undefined, '{', 'null', '[]', '{}', '{"info":null}', '{"info":{"features":[3]}}']
  const wrong = [
    null,
    3,
    [],
    { dtype: 'int64', _type: 'Value' },
    { names: [1], _type: 'ClassLabel' },
    { _type: 'ClassLabel' },
  ]
  for (const text of [...nothing, ...wrong.map(features)]) t.is(classNamesOf(text).size, 0, text)
})
