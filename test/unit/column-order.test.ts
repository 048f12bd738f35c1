import test from 'ava'
import { Dataset } from '../../lib/data/dataset.js'
import { keysInText } from '../../lib/data/readers/key-order.js'
import { DataStream } from '../../lib/data/stream.js'
import { streamBatches } from '../../lib/data/stream-batches.js'

const refused = { code: 'ERR_INVALID_DATA', message: /whole numbers first.*columns: \[/ }
const order = ['query', '1', '0']
/** Its keys come as 0, 1, query. */
const row = { query: 'q', 1: 'p', 0: 'n' }

async function firstBatch(stream: DataStream, shuffle = false): Promise<Dataset> {
  const batches = streamBatches(stream, shuffle ? 'no_duplicates' : 'sequential', { batchSize: 2 })(0, 0)
  for await (const batch of batches) return batch
  throw new Error('no batch')
}

test('objects cannot tell the order of keys that are whole numbers: it is asked for', (t) => {
  t.deepEqual(Object.keys(row), ['0', '1', 'query'])
  t.throws(() => Dataset.fromRows([row]), { ...refused, message: /0, 1, query in row 0.*columns: \[/ })
  t.throws(() => Dataset.fromColumns({ query: ['q'], 0: ['n'] }), refused)
  const rows = Dataset.fromRows([row], { columns: order })
  const columns = Dataset.fromColumns({ query: ['q'], 1: ['p'], 0: ['n'], more: ['x'] }, { columns: order })
  for (const dataset of [rows, columns]) {
    t.deepEqual(dataset.columnNames, order)
    t.deepEqual(dataset.textColumns, order)
    t.deepEqual(dataset.texts('1'), ['p'])
  }
  // One key has no order; others than whole numbers come as they were written.
  t.deepEqual(Dataset.fromRows([{ 1: 'x' }]).columnNames, ['1'])
  const others = { '01': 'a', '-1': 'b', '1.5': 'c', '4294967295': 'd', a: 'e' }
  t.deepEqual(Dataset.fromRows([others]).columnNames, ['01', '-1', '1.5', '4294967295', 'a'])
  t.throws(() => Dataset.fromRows([{ 4294967294: 'a', b: 'b' }]), refused)
  t.throws(() => Dataset.fromColumns({ a: ['x'] }, { columns: ['b'] }), { code: 'ERR_INVALID_ARGUMENT' })
  t.throws(() => Dataset.fromRows([{ a: 'x' }], { columns: ['b'] }), { code: 'ERR_INVALID_DATA', message: /keys b/ })
})

test('what is made of a dataset keeps its order', async (t) => {
  const dataset = Dataset.fromRows([row, { ...row, query: 'r' }], { columns: order })
  t.deepEqual((await dataset.filter(() => true)).columnNames, order)
  t.deepEqual((await dataset.shuffle(1)).columnNames, order)
  t.deepEqual(dataset.select([1]).columnNames, order)
  t.deepEqual((await Dataset.concatenate([dataset, dataset.selectColumns(['0', 'query', '1'])])).columnNames, order)
  t.deepEqual(dataset.renameColumns({ query: '2' }).columnNames, ['2', '1', '0'])
  t.deepEqual((await dataset.trainTestSplit({ testSize: 1 })).test.columnNames, order)
})

test('map: columns keep their places, new ones come behind', async (t) => {
  const dataset = Dataset.fromRows([row, row], { columns: order })
  const names = async (...given: Parameters<Dataset['map']>) => (await dataset.map(...given)).columnNames
  t.deepEqual(await names(({ 0: negative }) => ({ 0: `${String(negative)}!` })), order)
  t.deepEqual(await names((row) => ({ ...row, 2: 'x' })), [...order, '2'])
  t.deepEqual(await names(() => ({ b: 'x', a: 'y' })), [...order, 'b', 'a'])
  t.deepEqual(await names(() => ({ 2: 'x' }), { removeColumns: ['1', 'query'] }), ['0', '2'])
  await t.throwsAsync(
    dataset.map(() => ({ a: 'x', 2: 'y' })),
    { ...refused, message: /2, a as new columns/ },
  )
  t.deepEqual(await names(() => ({ a: 'x', 2: 'y' }), { columns: ['a', '2', 'query'] }), ['a', '2', 'query'])
  await t.throwsAsync(
    dataset.map(() => ({ a: 'x' }), { columns: ['a', 'b'] }),
    { code: 'ERR_INVALID_DATA', message: /keys a, b after the function, found .* in row 0/ },
  )
})

test('streams', async (t) => {
  const rows = [row, { 0: 'N', 1: 'P', query: 'Q' }]
  await t.throwsAsync(firstBatch(DataStream.from(() => rows)), refused)
  const stream = DataStream.from(() => rows, { columns: order })
  for (const shuffle of [false, true]) {
    const batch = await firstBatch(stream, shuffle)
    t.deepEqual(batch.columnNames, order)
    t.deepEqual([...batch.texts('1')].sort(), ['P', 'p'])
  }
  t.deepEqual((await stream.head(2)).columnNames, order)
  const names = async (changed: DataStream) => (await firstBatch(changed)).columnNames
  t.deepEqual(await names(stream.filter(() => true)), order)
  t.deepEqual(await names(stream.map((row) => ({ ...row, query: 'x' }))), order)
  t.deepEqual(await names(stream.map((row) => ({ ...row, 7: 'x' }))), [...order, '7'])
  t.deepEqual(await names(stream.map(() => ({ b: 'x', a: 'y' }))), ['b', 'a'])
  t.deepEqual(await names(stream.map((row) => row, { columns: ['0', 'query'] })), ['0', 'query'])
  await t.throwsAsync(names(stream.map((row) => ({ ...row, 7: 'x', a: 'y' }))), refused)
  await t.throwsAsync(firstBatch(DataStream.from(() => rows, { columns: ['a'] })), {
    code: 'ERR_INVALID_DATA',
    message: /keys a in row 0 of the stream/,
  })
  await t.throwsAsync(firstBatch(DataStream.from(() => [3 as never], { columns: ['a'] })), {
    message: /an object in row 0/,
  })
})

test('the keys of a JSON text in the order in which they stand', (t) => {
  const text = '{ "b\\"\\u0041":[{"x":{"y":1}}], "1" : "a, {", "0":{"1":2},"1":3, "a":null } {"z":1}'
  t.deepEqual(
    [...keysInText(text)],
    [
      ['b"A', '['],
      ['1', '"'],
      ['0', '{'],
      ['a', 'n'],
    ],
  )
  t.deepEqual([...keysInText('{"a":"x","b"').keys()], ['a'])
})
