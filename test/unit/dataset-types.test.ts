// What the compiler knows of rows: this file compiles, and every line marked with @ts-expect-error would not.
import test from 'ava'
import {
  type BatchColumns,
  DataLoader,
  Dataset,
  InputExample,
  type SentenceTransformerTrainerOptions,
} from '../../lib/index.js'

interface Row {
  anchor: string
  positive: string
  label: number | null
}
const rows: Row[] = [
  { anchor: 'a', positive: 'p', label: 1 },
  { anchor: 'b', positive: 'q', label: null },
]

test('rows are typed without casts', async (t) => {
  const dataset = Dataset.fromRows(rows)
  const text: string = dataset.row(0).anchor
  // A label that is not there is NaN.
  const label: number = dataset.row(-1).label
  t.deepEqual([text, label], ['a', Number.NaN])
  // @ts-expect-error: there is no such column
  t.is(dataset.row(0).ancor, undefined)
  // @ts-expect-error: a label is no text
  const wrong: string = dataset.row(0).label
  t.is(wrong, 1 as never)
  for (const { anchor, positive } of dataset) t.is(anchor.length, positive.length)

  const filtered = await dataset.filter((row, index) => row.anchor.startsWith('a') && index === 0)
  // @ts-expect-error: there is no such column
  await dataset.filter((row) => row.text === 'a')
  t.is(filtered.row(0).anchor.length, 1)

  const mapped = await filtered.map(async ({ anchor }) => ({ length: anchor.length, positive: [anchor] }), {
    removeColumns: 'anchor',
  })
  const row: { length: number; positive: string[]; label: number } = mapped.row(0)
  t.deepEqual(row, { length: 1, positive: ['a'], label: 1 })
  // @ts-expect-error: it was removed
  t.is(mapped.row(0).anchor, undefined)

  t.is(dataset.selectColumns(['anchor']).row(0).anchor, 'a')
  // @ts-expect-error: it was not selected
  t.is(dataset.selectColumns(['anchor']).row(0).positive, undefined)
  // @ts-expect-error: it was removed
  t.is(dataset.removeColumns('anchor').row(0).anchor, undefined)
  t.is(dataset.renameColumns({ anchor: 'query' }).row(0).query, 'a')
  // @ts-expect-error: it has another name
  t.is(dataset.renameColumns({ anchor: 'query' }).row(0).anchor, undefined)

  const { train } = await (await Dataset.concatenate([dataset, dataset])).trainTestSplit({ testSize: 1 })
  const shuffled = await (await train.shuffle()).dropDuplicates({ columns: 'anchor' })
  t.is(shuffled.head(1).select([0]).row(0).anchor.length, 1)
})

test('a row type may be named where no rows tell it', async (t) => {
  t.is(Dataset.fromRows<{ text: string }>([{ text: 'a' }]).row(0).text, 'a')
  // @ts-expect-error: rows of another type
  t.is(Dataset.fromRows<{ text: string }>([{ text: 1 }]).length, 1)
  const fromColumns = Dataset.fromColumns<Row>({ anchor: ['a'], positive: ['p'], label: [null] })
  t.is(fromColumns.row(0).anchor, 'a')
  // @ts-expect-error: a column is missing
  t.is(Dataset.fromColumns<Row>({ anchor: ['a'], positive: ['p'] }).length, 1)
  await t.throwsAsync(
    async () => {
      const read = await Dataset.fromFile<Row>('/nowhere.csv')
      t.is(read.row(0).anchor.length, 1)
      // @ts-expect-error: there is no such column
      t.is(read.row(0).text, undefined)
    },
    { code: 'ERR_NOT_FOUND' },
  )
})

test('typed rows go wherever rows go; rows of unknown type stay as they were', (t) => {
  const typed: Dataset<Row> = Dataset.fromRows(rows)
  const plain: Dataset = typed
  const options: Pick<SentenceTransformerTrainerOptions, 'trainDataset' | 'evalDataset'> = {
    trainDataset: typed,
    evalDataset: { a: typed, b: plain },
  }
  t.is(options.trainDataset, typed)
  // @ts-expect-error: other rows
  const other: Dataset<{ query: string }> = typed
  t.is(other, typed as never)

  let untyped = Dataset.fromColumns({ a: ['x'] })
  untyped = Dataset.fromColumns({ b: ['y'], label: [1] })
  untyped = untyped.selectColumns(['b']).renameColumns({ b: 'c' })
  t.is(untyped.row(0).c, 'y')
})

test('batches of a loader have the type of what it loads', (t) => {
  const [examples] = new DataLoader([new InputExample({ texts: ['a'] })])
  t.is(examples![0]!.texts[0], 'a')
  const [columns] = new DataLoader(Dataset.fromRows(rows), { batchSize: 2 })
  const found: BatchColumns<{ anchor: string; positive: string; label: number }> = columns!
  t.deepEqual(found.anchor, ['a', 'b'])
  // @ts-expect-error: there is no such column
  t.is(columns!.ancor, undefined)
})
