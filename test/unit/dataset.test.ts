import test from 'ava'
import { Dataset } from '../../lib/data/dataset.js'
import { DataStream } from '../../lib/data/stream.js'

test('rows and columns make the same dataset, columns in their order', (t) => {
  const rows = Dataset.fromRows([
    { b: 'b0', a: 'a0', score: 0.5 },
    { a: 'a1', b: 'b1', score: 5 },
  ])
  const columns = Dataset.fromColumns({ b: ['b0', 'b1'], a: ['a0', 'a1'], score: [0.5, 5] })
  for (const dataset of [rows, columns]) {
    t.is(dataset.length, 2)
    t.deepEqual(dataset.columnNames, ['b', 'a', 'score'])
    t.deepEqual(dataset.textColumns, ['b', 'a'])
    t.is(dataset.labelColumn, 'score')
    t.deepEqual(dataset.labels(), [0.5, 5], 'never rescaled')
    t.deepEqual(dataset.column('a'), ['a0', 'a1'])
    t.deepEqual(dataset.texts('b'), ['b0', 'b1'])
    t.deepEqual(dataset.row(1), { b: 'b1', a: 'a1', score: 5 })
    t.deepEqual(Object.keys(dataset.row(1)), ['b', 'a', 'score'])
  }
})

test('the label column is the first of label, labels, score, scores', (t) => {
  const label = (columns: Record<string, unknown[]>) => Dataset.fromColumns(columns).labelColumn
  t.is(label({ scores: [1], text: ['a'] }), 'scores')
  t.is(label({ labels: [1], text: ['a'] }), 'labels')
  t.is(label({ text: ['a'] }), undefined)
  t.is(Dataset.fromColumns({ text: ['a'] }).labels(), undefined)
  // With two of them the second counts as an input, which it cannot be.
  const both = Dataset.fromColumns({ text: ['a'], score: [1], label: [0] })
  t.deepEqual(both.textColumns, ['text', 'score'])
  t.throws(() => both.texts('score'), {
    code: 'ERR_INVALID_DATA',
    message:
      /texts in column "score".*such as 1 in row 0 \(labels are taken from "label"\).*removeColumns\(\['score'\]\)/,
  })
})

test('labels may be vectors, of different length too', (t) => {
  const vectors = [[1, 2], [3], [], [[4, 5], [6]]]
  t.deepEqual(Dataset.fromColumns({ text: ['a', 'b', 'c', 'd'], label: vectors }).labels(), vectors)
})

test('rows are selected in the given order, again and again', (t) => {
  const dataset = Dataset.fromColumns({ text: ['a', 'b', 'c'], label: [0, 1, 2] })
  const selected = dataset.select(Int32Array.of(2, 0, 2))
  t.deepEqual(selected.texts('text'), ['c', 'a', 'c'])
  t.deepEqual(selected.labels(), [2, 0, 2])
  t.is(dataset.select([]).length, 0)
  t.deepEqual(dataset.select([]).columnNames, ['text', 'label'])
  for (const index of [-4, 3, 0.5, Number.NaN]) {
    t.throws(() => dataset.select([index]), { code: 'ERR_INVALID_ARGUMENT', message: /from -3 to 2/ })
    t.throws(() => dataset.row(index), { code: 'ERR_INVALID_ARGUMENT' })
  }
})

test('columns are selected in the given order', (t) => {
  const dataset = Dataset.fromColumns({ a: ['a'], b: ['b'], label: [1] })
  const selected = dataset.selectColumns(['b', 'a'])
  t.deepEqual(selected.columnNames, ['b', 'a'])
  t.is(selected.labelColumn, undefined)
  t.throws(() => dataset.selectColumns(['c']), { code: 'ERR_INVALID_ARGUMENT', message: /a, b, label.*"c"/ })
  t.throws(() => dataset.column('c'), { code: 'ERR_INVALID_ARGUMENT', message: /a, b, label/ })
  t.throws(() => dataset.texts('label'), { code: 'ERR_INVALID_ARGUMENT' })
})

test('no rows make an empty dataset', (t) => {
  t.is(Dataset.fromRows([]).length, 0)
  t.deepEqual(Dataset.fromRows([]).columnNames, [])
  t.is(Dataset.fromColumns({ text: [] }).length, 0)
})

test('the dataset does not follow later changes of its source', (t) => {
  const text = ['a']
  const dataset = Dataset.fromColumns({ text })
  text[0] = 'changed'
  t.is(dataset.texts('text')[0], 'a')
})

const data = { code: 'ERR_INVALID_DATA' }
const refused: [string, () => Dataset, object][] = [
  [
    'a text that is a number',
    () => Dataset.fromRows([{ a: 'x' }, { a: 3 }]),
    { ...data, message: /"a", row 1, found 3/ },
  ],
  [
    'a text that is missing',
    () => Dataset.fromRows([{ a: null }, { a: 'x' }]),
    { ...data, message: /"a", row 0, found null/ },
  ],
  ['other keys', () => Dataset.fromRows([{ a: 'x' }, { b: 'y' }]), { ...data, message: /keys a in row 1, found b/ }],
  [
    'a key too many',
    () => Dataset.fromRows([{ a: 'x' }, { a: 'y', b: 'y' }]),
    { ...data, message: /row 1, found a, b/ },
  ],
  [
    'a row that is no object',
    () => Dataset.fromRows(['x' as never]),
    { ...data, message: /an object in row 0, found "x"/ },
  ],
  ['a row that is a list', () => Dataset.fromRows([['x'] as never]), { ...data, message: /an object in row 0/ }],
  [
    'columns of different length',
    () => Dataset.fromColumns({ a: ['x'], b: [] }),
    { ...data, message: /1 rows in column "b"/ },
  ],
  [
    'a label that is a text',
    () => Dataset.fromColumns({ label: ['1'] }),
    { ...data, message: /finite number.*found "1"/ },
  ],
  [
    'a label that is missing',
    () => Dataset.fromColumns({ label: [1, undefined] }),
    { ...data, message: /row 1.*undefined/ },
  ],
  ['a label that is NaN', () => Dataset.fromColumns({ label: [Number.NaN] }), { ...data, message: /NaN/ }],
  ['a label that is infinite', () => Dataset.fromColumns({ score: [Number.POSITIVE_INFINITY] }), data],
  ['a number among vectors', () => Dataset.fromColumns({ label: [[1], 1] }), { ...data, message: /list.*row 1/ }],
  ['a vector among numbers', () => Dataset.fromColumns({ label: [1, [1]] }), { ...data, message: /row 1/ }],
  ['a text in a vector', () => Dataset.fromColumns({ label: [['1']] }), data],
  ['return_loss', () => Dataset.fromColumns({ return_loss: ['x'] }), { ...data, message: /"return_loss" is reserved/ }],
  [
    'dataset_name',
    () => Dataset.fromColumns({ dataset_name: ['x'] }),
    { ...data, message: /"dataset_name" is reserved/ },
  ],
  ['a column that is no array', () => Dataset.fromColumns({ a: 'x' as never }), { code: 'ERR_INVALID_ARGUMENT' }],
  ['no rows at all', () => Dataset.fromRows(undefined as never), { code: 'ERR_INVALID_ARGUMENT' }],
  ['no columns at all', () => Dataset.fromColumns(null as never), { code: 'ERR_INVALID_ARGUMENT' }],
]

for (const [what, make, expected] of refused) {
  test(`refused: ${what}`, (t) => {
    t.throws(make, expected)
  })
}

test('a stream of what is no iterable names what its function gave', async (t) => {
  const stream = DataStream.from((() => 5) as never)
  await t.throwsAsync(stream.head(), { code: 'ERR_INVALID_DATA', message: /iterable of rows but gave 5/ })
})

test('datasets and streams are made by their functions, not by new', (t) => {
  const wrong = (make: () => unknown, message: RegExp) => t.throws(make, { code: 'ERR_INVALID_ARGUMENT', message })
  const AnyDataset = Dataset as unknown as new (...args: unknown[]) => unknown
  const AnyStream = DataStream as unknown as new (...args: unknown[]) => unknown
  for (const args of [[], [[{ a: 'x' }]], ['file.csv'], [{ a: ['x'] }]])
    wrong(() => new AnyDataset(...args), /fromRows/)
  for (const args of [[], ['file.jsonl'], [() => []]]) wrong(() => new AnyStream(...args), /DataStream\.fromFile/)
})
