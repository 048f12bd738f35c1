import test from 'ava'
import fc from 'fast-check'
import { Dataset } from '../../lib/data/dataset.js'

const rowsOf = (dataset: Dataset) => Array.from({ length: dataset.length }, (_, i) => dataset.row(i))
const pairs = (length: number) =>
  Dataset.fromColumns({
    a: Array.from({ length }, (_, i) => `a${i}`),
    b: Array.from({ length }, (_, i) => `b${i}`),
    label: Array.from({ length }, (_, i) => i % 3),
  })

test('columns hold texts, lists of texts, labels, or something else', (t) => {
  const dataset = Dataset.fromRows([
    { query: 'q', docs: [], labels: [1, 0.5], id: 3 },
    { query: 'r', docs: ['d', 'e'], labels: [], id: null },
  ])
  const kinds = dataset.columnNames.map((name) => dataset.columnKind(name))
  t.deepEqual(kinds, ['text', 'texts', 'label', 'other'])
  t.deepEqual(dataset.textLists('docs'), [[], ['d', 'e']])
  t.deepEqual(dataset.labels(), [[1, 0.5], []])
  t.throws(() => dataset.texts('docs'), { code: 'ERR_INVALID_DATA', message: /Expected texts.*found lists of texts/ })
  t.throws(() => dataset.textLists('query'), { code: 'ERR_INVALID_DATA', message: /lists of texts in column "query"/ })
  t.throws(() => dataset.texts('id'), {
    code: 'ERR_INVALID_DATA',
    message: /such as 3 in row 0.*"labels".*removeColumns/,
  })
  const misfits: [Record<string, unknown>[], RegExp][] = [
    [[{ a: ['x'] }, { a: 'x' }], /a list of texts in column "a", row 1, found "x"/],
    [[{ a: ['x', 1] }], /only texts in the list in column "a", row 0, found 1/],
    [[{ a: 1 }, { a: 'x' }], /no text.*row 1/],
    [[{ label: [1, Number.NaN] }], /only finite numbers.*row 0, found NaN/],
    [[{ label: [1] }, { label: 2 }], /a list of finite numbers.*row 1, found 2/],
  ]
  for (const [rows, message] of misfits) t.throws(() => Dataset.fromRows(rows), { code: 'ERR_INVALID_DATA', message })
})

test('columns are renamed and removed; the label column follows its name', (t) => {
  const dataset = Dataset.fromRows([{ x: 'x', gold: 1, label: 0 }])
  t.is(dataset.columnKind('gold'), 'other')
  const renamed = dataset.removeColumns(['label']).renameColumns({ gold: 'score', x: 'text' })
  t.deepEqual(renamed.columnNames, ['text', 'score'])
  t.is(renamed.labelColumn, 'score')
  t.deepEqual(renamed.labels(), [1])
  t.is(dataset.renameColumns({ label: 'idx' }).columnKind('idx'), 'other')
  t.throws(() => dataset.renameColumns({ gold: 'x' }), { code: 'ERR_INVALID_ARGUMENT', message: /"x"/ })
  t.throws(() => dataset.renameColumns({ nothing: 'x' }), { code: 'ERR_INVALID_ARGUMENT', message: /x, gold, label/ })
  t.throws(() => dataset.removeColumns(['nothing']), { code: 'ERR_INVALID_ARGUMENT' })
  t.throws(() => dataset.removeColumns('nothing'), { code: 'ERR_INVALID_ARGUMENT', message: /"nothing"/ })
  t.throws(() => dataset.renameColumns({ x: 'scores', gold: 'text', label: 'y' }), { code: 'ERR_INVALID_DATA' })
})

test('filter and map', async (t) => {
  const dataset = pairs(10)
  const filtered = await dataset.filter(({ label }, index) => label === 1 && index > 2)
  t.deepEqual(filtered.texts('a'), ['a4', 'a7'])
  t.deepEqual((await dataset.filter(async ({ a }) => a === 'a3')).texts('b'), ['b3'])
  const mapped = await dataset.map(({ a, label }) => ({ c: `${a}!`, label: [Number(label), 1] }), {
    removeColumns: ['b'],
  })
  t.deepEqual(mapped.columnNames, ['a', 'label', 'c'])
  t.deepEqual(mapped.row(4), { a: 'a4', label: [1, 1], c: 'a4!' })
  t.deepEqual((await dataset.map(async (_, i) => ({ a: `${i}` }))).texts('a')[9], '9')
  t.deepEqual(dataset.texts('a')[9], 'a9', 'the dataset itself is as it was')
  await t.throwsAsync(
    dataset.map((_, i): Record<string, unknown> => (i < 3 ? { c: 'x' } : {})),
    {
      code: 'ERR_INVALID_DATA',
      message: /keys a, b, label, c.*row 3/,
    },
  )
  await t.throwsAsync(
    dataset.map((_, i) => ({ a: i === 5 ? 5 : 'x' })),
    { message: /"a", row 5 of the mapped/ },
  )
  await t.throwsAsync(dataset.map((() => 3) as never), { code: 'ERR_INVALID_DATA' })
  await t.throwsAsync(
    dataset.map((row) => row, { removeColumn: ['b'] } as never),
    { code: 'ERR_UNKNOWN_OPTION' },
  )
})

test('shuffle: all rows, by the seed alone', async (t) => {
  const dataset = pairs(100)
  const shuffled = await dataset.shuffle(3)
  t.deepEqual([...shuffled.texts('a')].sort(), [...dataset.texts('a')].sort())
  t.true(rowsOf(shuffled).every(({ a, b }) => String(a).slice(1) === String(b).slice(1)))
  t.deepEqual(rowsOf(await dataset.shuffle(3)), rowsOf(shuffled))
  t.notDeepEqual(rowsOf(await dataset.shuffle(4)), rowsOf(shuffled))
  t.notDeepEqual(rowsOf(shuffled), rowsOf(dataset))
})

test('concatenate: the same columns in any order, conflicts named', async (t) => {
  const first = Dataset.fromColumns({ a: ['1'], b: ['2'], score: [0] })
  const second = Dataset.fromColumns({ score: [1], b: ['4'], a: ['3'] })
  const joined = await Dataset.concatenate([first, second, first])
  t.deepEqual(rowsOf(joined), [
    { a: '1', b: '2', score: 0 },
    { a: '3', b: '4', score: 1 },
    { a: '1', b: '2', score: 0 },
  ])
  const conflict = (other: Dataset, message: RegExp) =>
    t.throwsAsync(Dataset.concatenate([first, other]), { code: 'ERR_INVALID_DATA', message })
  await conflict(Dataset.fromColumns({ a: ['1'], c: ['2'] }), /Dataset 1 .* lacks b, score and has c/)
  await conflict(Dataset.fromColumns({ a: ['1'], b: ['2'], c: ['3'], score: [0] }), /also has c/)
  await conflict(Dataset.fromColumns({ a: ['1'], b: [['2']], score: [0] }), /column b holds lists of texts, not texts/)
  await conflict(Dataset.fromColumns({ a: ['1'], b: ['2'], score: [[0]] }), /score holds lists of labels, not labels/)
  await t.throwsAsync(Dataset.concatenate([]), { code: 'ERR_INVALID_ARGUMENT' })
})

test('dropDuplicates: the first of equal rows', async (t) => {
  const words = fc.array(fc.tuple(fc.nat(3), fc.nat(3), fc.nat(1)), { maxLength: 40 })
  await fc.assert(
    fc.asyncProperty(words, async (rows) => {
      const dataset = Dataset.fromRows(rows.map(([a, b, label]) => ({ a: `${a}`, b: [`${b}`], label })))
      const kept = await dataset.dropDuplicates()
      const keys = rows.map((row) => row.join())
      t.deepEqual(
        rowsOf(kept).map(({ a, b, label }) => [a, b, label].join()),
        keys.filter((key, i) => keys.indexOf(key) === i),
      )
      if (rows.length === 0) return
      const byText = await dataset.dropDuplicates({ columns: ['a'] })
      t.is(byText.length, new Set(rows.map(([a]) => a)).size)
    }),
  )
})

test('dropDuplicates: a number is not the text that spells it', async (t) => {
  const dataset = Dataset.fromColumns({ a: ['1', '1'], b: [1, 2], c: [[1], ['1']].map(String) })
  t.is((await dataset.dropDuplicates()).length, 2)
})

test('dropUnlabelled: null, "-" and, among classes, -1', async (t) => {
  const dataset = Dataset.fromColumns({ text: ['a', 'b', 'c', 'd'], label: [1, null, '-', -1] })
  t.throws(() => dataset.labels(), { code: 'ERR_INVALID_DATA', message: /row 1, found none; dropUnlabelled/ })
  const { dataset: kept, dropped } = await dataset.dropUnlabelled()
  t.deepEqual(rowsOf(kept), [{ text: 'a', label: 1 }])
  t.is(dropped, 3)
  t.deepEqual(kept.labels(), [1])
  const scores = Dataset.fromColumns({ text: ['a', 'b'], score: [-1, null] })
  t.is((await scores.dropUnlabelled()).dropped, 1, 'a score of -1 is a score')
  const margins = Dataset.fromColumns({ text: ['a', 'b'], label: [-1, 0.5] })
  t.is((await margins.dropUnlabelled()).dropped, 0, 'and so is a label of -1 among fractions')
  const lists = Dataset.fromColumns({ text: ['a', 'b'], labels: [[-1, 2], null] })
  t.is((await lists.dropUnlabelled()).dropped, 1)
  await t.throwsAsync(Dataset.fromColumns({ text: ['a'] }).dropUnlabelled(), { code: 'ERR_INVALID_DATA' })
})

test('trainTestSplit: every row on one side, sizes as asked', async (t) => {
  const dataset = pairs(21)
  for (const [testSize, expected] of [
    [0.25, 6],
    [0.1, 3],
    [5, 5],
    [1, 1],
  ] as const) {
    const { train, test } = await dataset.trainTestSplit({ testSize, seed: 1 })
    t.is(test.length, expected)
    t.deepEqual([...train.texts('a'), ...test.texts('a')].sort(), [...dataset.texts('a')].sort())
  }
  const { test: first } = await dataset.trainTestSplit({ seed: 1 })
  t.deepEqual((await dataset.trainTestSplit({ seed: 1 })).test.texts('a'), first.texts('a'))
  t.notDeepEqual((await dataset.trainTestSplit({ seed: 2 })).test.texts('a'), first.texts('a'))
  for (const testSize of [0, 21, 1.5, -1, Number.NaN]) {
    await t.throwsAsync(dataset.trainTestSplit({ testSize }), { code: 'ERR_INVALID_ARGUMENT', message: /testSize/ })
  }
  await t.throwsAsync(dataset.trainTestSplit({ groupby: 'a' } as never), { code: 'ERR_UNKNOWN_OPTION' })
})

test('trainTestSplit by groups: no value on both sides, whatever links the rows', async (t) => {
  const rows = fc.array(fc.record({ a: fc.nat(30), b: fc.nat(30) }), { minLength: 8, maxLength: 60 })
  let split = 0
  await fc.assert(
    fc.asyncProperty(rows, fc.nat(5), async (values, seed) => {
      const dataset = Dataset.fromRows(values.map(({ a, b }) => ({ a: `${a}`, b: `${b}` })))
      for (const groupBy of ['a', ['a', 'b']]) {
        let parts: { train: Dataset; test: Dataset }
        try {
          parts = await dataset.trainTestSplit({ testSize: 0.3, seed, groupBy })
        } catch (error) {
          t.regex((error as Error).message, /every group is too large/)
          continue
        }
        split++
        const { train, test } = parts
        t.is(train.length + test.length, values.length)
        t.true(test.length <= Math.ceil(0.3 * values.length))
        const valuesOf = (part: Dataset) => [groupBy].flat().flatMap((name) => part.texts(name))
        const seen = new Set(valuesOf(train))
        t.false(valuesOf(test).some((value) => seen.has(value)))
      }
    }),
  )
  t.true(split > 50)
})
