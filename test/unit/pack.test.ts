import { setTimeout } from 'node:timers/promises'
import test from 'ava'
import fc from 'fast-check'
import { concatTokenized, pack, selectRows, type Tokenized } from '../../lib/data/pack.js'
import { prefetch } from '../../lib/data/prefetch.js'

const rowsOf = ({ ids, offsets }: { ids: Int32Array; offsets: Int32Array }) =>
  Array.from({ length: offsets.length - 1 }, (_, i) => [...ids.subarray(offsets[i]!, offsets[i + 1]!)])

function tokenized(rows: readonly number[][]): Tokenized {
  const offsets = new Int32Array(rows.length + 1)
  rows.forEach((row, i) => {
    offsets[i + 1] = offsets[i]! + row.length
  })
  return { ids: Int32Array.from(rows.flat()), offsets }
}

const row = fc.array(fc.nat(30_000), { maxLength: 6 })
const batches = fc
  .tuple(fc.integer({ min: 1, max: 4 }), fc.nat(5))
  .chain(([columns, rows]) =>
    fc.array(fc.array(row, { minLength: rows, maxLength: rows }), { minLength: columns, maxLength: columns }),
  )

test('a packed batch holds all rows, column after column', (t) => {
  fc.assert(
    fc.property(batches, (columns) => {
      const batch = pack(columns.map(tokenized))
      t.is(batch.columns, columns.length)
      t.is(batch.offsets[0], 0)
      t.is(batch.offsets.at(-1), batch.ids.length)
      t.deepEqual(rowsOf(batch), columns.flat())
      t.deepEqual(Object.keys(batch).sort(), ['columns', 'ids', 'offsets'])
    }),
  )
})

test('picking and joining rows', (t) => {
  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 8 }), fc.array(fc.nat(), { maxLength: 8 }), (rows, picks) => {
      const indices = picks.map((pick) => pick % rows.length)
      t.deepEqual(
        rowsOf(selectRows(tokenized(rows), indices)),
        indices.map((i) => rows[i]!),
      )
      t.deepEqual(rowsOf(concatTokenized([tokenized(rows), tokenized([]), tokenized(rows)])), [...rows, ...rows])
    }),
  )
  t.deepEqual(concatTokenized([]), tokenized([]))
})

test('labels come in the type that the loss wants', (t) => {
  const columns = [tokenized([[1], [2, 3]])]
  const floats = pack(columns, { labels: [0.5, 1] })
  t.deepEqual(floats.labels, Float32Array.of(0.5, 1))
  t.deepEqual(floats.labelShape, [2])
  t.deepEqual(pack(columns, { labels: [2, 0], labelType: 'int32' }).labels, Int32Array.of(2, 0))
  const vectors = pack(columns, {
    labels: [
      [1, 2, 3],
      [4, 5, 6],
    ],
  })
  t.deepEqual(vectors.labels, Float32Array.of(1, 2, 3, 4, 5, 6))
  t.deepEqual(vectors.labelShape, [2, 3])
})

test('prompt lengths follow the rows', (t) => {
  const column = tokenized([
    [1, 2],
    [3, 4],
  ])
  const batch = pack([column, column], { promptLengths: [[1, 2], Int32Array.of(0, 1)] })
  t.deepEqual(batch.promptLengths, Int32Array.of(1, 2, 0, 1))
})

test('what does not fit is an error with expected and found', (t) => {
  const two = tokenized([[1], [2]])
  const code = 'ERR_INVALID_DATA'
  t.throws(() => pack([]), { code, message: /at least one text column/ })
  t.throws(() => pack([two, tokenized([[1]])]), { code, message: /2 texts in column 1.*found 1/ })
  t.throws(() => pack([two], { labels: [1] }), { code, message: /2 labels.*found 1/ })
  t.throws(() => pack([two], { labels: [1, [2]] }), { code, message: /a number as label of row 1.*1 values/ })
  t.throws(() => pack([two], { labels: [[1], 2] }), { code, message: /1 values in the label of row 1.*number 2/ })
  t.throws(() => pack([two], { labels: [[1], [2, 3]] }), { code, message: /row 1.*2 values/ })
  t.throws(() => pack([two], { labels: [0, 0.5], labelType: 'int32' }), { code, message: /whole number.*row 1.*0.5/ })
  t.throws(() => pack([two], { labels: [0, 2 ** 31], labelType: 'int32' }), { code })
  t.throws(() => pack([two], { promptLengths: [] }), { code, message: /1 columns.*0/ })
  t.throws(() => pack([two], { promptLengths: [[1]] }), { code, message: /2 prompt lengths in column 0.*1/ })
})

test('prefetch keeps the order and stays within its depth', async (t) => {
  let made = 0
  async function* source() {
    for (let i = 0; i < 10; i++) {
      made++
      await setTimeout(1)
      yield i
    }
  }
  const seen: number[] = []
  for await (const item of prefetch(source(), 3)) {
    seen.push(item)
    await setTimeout(2)
    // The one in hand, three ahead.
    t.true(made <= seen.length + 3, `${made} made when ${seen.length} were taken`)
  }
  t.deepEqual(seen, [...Array(10).keys()])
})

test('prefetch throws an error where it belongs and ends a source that is left early', async (t) => {
  let closed = 0
  async function* source(failAt: number) {
    try {
      for (let i = 0; ; i++) {
        if (i === failAt) throw new Error('bad row')
        yield i
      }
    } finally {
      closed++
    }
  }
  const seen: number[] = []
  await t.throwsAsync(
    async () => {
      for await (const item of prefetch(source(3), 4)) seen.push(item)
    },
    { message: 'bad row' },
  )
  t.deepEqual(seen, [0, 1, 2])
  t.is(closed, 1)
  for await (const item of prefetch(source(Number.POSITIVE_INFINITY), 2)) if (item === 5) break
  t.is(closed, 2)
})
