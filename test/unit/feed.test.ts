import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import fc from 'fast-check'
import { Dataset } from '../../lib/data/dataset.js'
import { createFeed, type DataBatch, type DataFeed } from '../../lib/data/feed.js'
import { createBatchSampler } from '../../lib/data/samplers/index.js'
import { DataStream } from '../../lib/data/stream.js'

const numbers = (length: number) => Dataset.fromColumns({ text: Array.from({ length }, (_, i) => `${i}`) })

async function collect(feed: DataFeed, epoch: number, skip?: number): Promise<DataBatch[]> {
  const batches: DataBatch[] = []
  for await (const batch of feed.batches(epoch, skip)) batches.push(batch)
  return batches
}

test('one dataset: the batches of its sampler, under the name ""', async (t) => {
  const dataset = numbers(25)
  const feed = createFeed(dataset, { batchSize: 4, seed: 7, dropLast: true })
  const sampler = createBatchSampler('batch_sampler', dataset, { batchSize: 4, seed: 7, dropLast: true })
  t.is(feed.length, 6)
  const expected: Int32Array[] = []
  for await (const rows of sampler.batches(3)) expected.push(rows)
  const batches = await collect(feed, 3)
  t.deepEqual(
    batches.map(({ rows }) => rows),
    expected,
  )
  t.true(batches.every((batch) => batch.name === '' && batch.dataset === dataset))
})

test('one dataset: skip leaves out the first batches and nothing else', async (t) => {
  const feed = createFeed(numbers(25), { batchSampler: 'no_duplicates', batchSize: 4, seed: 7 })
  const all = await collect(feed, 1)
  for (const skip of [0, 1, 5, 7, 8]) t.deepEqual(await collect(feed, 1, skip), all.slice(skip))
})

const textsOf = ({ dataset, rows }: DataBatch) =>
  Array.from(rows, (row) => dataset.textColumns.map((name) => dataset.texts(name)[row]!).join(' '))
const sources = () => ({
  large: numbers(40),
  small: numbers(9),
  stream: DataStream.from(() => Array.from({ length: 13 }, (_, i) => ({ text: `s${i}` })), {
    length: 13,
    shuffleBuffer: 5,
  }),
})

for (const multiDatasetBatchSampler of ['proportional', 'round_robin'] as const) {
  test(`several datasets, ${multiDatasetBatchSampler}: epochs differ, the same epoch is the same, skip resumes`, async (t) => {
    const options = {
      batchSize: 4,
      seed: 3,
      multiDatasetBatchSampler,
      batchSampler: { large: 'no_duplicates' },
    } as const
    const feed = createFeed(sources(), options)
    t.is(feed.length, multiDatasetBatchSampler === 'proportional' ? 10 + 3 + 4 : 9)
    const texts = async (epoch: number, skip?: number) => {
      const batches = await collect(createFeed(sources(), options), epoch, skip)
      return batches.map((batch) => [batch.name, ...textsOf(batch)])
    }
    const first = await texts(0)
    t.is(first.length, feed.length!)
    if (multiDatasetBatchSampler === 'proportional') {
      t.is(new Set(first.flatMap(([name, ...rest]) => rest.map((text) => `${name} ${text}`))).size, 40 + 9 + 13)
    }
    const second = await texts(1)
    t.notDeepEqual(second, first)
    for (const name of ['large', 'small', 'stream']) {
      const of = (batches: string[][]) => batches.filter((batch) => batch[0] === name)
      t.true(of(first).length > 0)
      t.notDeepEqual(of(second), of(first), `the batches of ${name} too, not only their order`)
    }
    t.deepEqual(await texts(0), first)
    for (const skip of [0, 1, 4, 9, 30]) t.deepEqual(await texts(1, skip), second.slice(skip))
  })
}

test('several datasets: what ends early is passed over, and every source is closed', async (t) => {
  // Every row has the same text: 7 batches of one row, where the schedule counts 2.
  const same = Dataset.fromColumns({ text: new Array(7).fill('x') })
  let closed = 0
  const endless = DataStream.from(
    async function* () {
      try {
        for (let i = 0; ; i++) yield { text: `${i}` }
      } finally {
        closed++
      }
    },
    { length: 8, shuffleBuffer: 1 },
  )
  const feed = createFeed({ same, endless }, { batchSampler: 'no_duplicates', batchSize: 4 })
  const batches = await collect(feed, 0)
  t.deepEqual(batches.map(({ name }) => name).sort(), ['endless', 'endless', 'same', 'same'])
  t.is(closed, 1)
  for await (const { name } of feed.batches(0)) if (name === 'endless') break
  t.is(closed, 2)
  const shorter = createFeed({ few: numbers(8), late: DataStream.from(() => [], { length: 8 }) }, { batchSize: 4 })
  t.is(shorter.length, 4)
  t.is((await collect(shorter, 0)).length, 2)
})

test('streams: rows once per epoch, shuffled within the buffer', async (t) => {
  const rows = Array.from({ length: 103 }, (_, i) => ({ text: `${i}`, label: i }))
  const of = (shuffleBuffer: number, dropLast = false) =>
    createFeed(
      DataStream.from(() => rows, { shuffleBuffer }),
      { batchSize: 8, seed: 1, dropLast },
    )
  const feed = of(20)
  t.is(feed.length, undefined)
  const batches = await collect(feed, 0)
  const order = batches.flatMap((batch) => textsOf(batch).map(Number))
  t.deepEqual(
    [...order].sort((a, b) => a - b),
    rows.map(({ label }) => label),
  )
  t.true(order.every((row, i) => row <= i + 20))
  t.notDeepEqual(
    order,
    [...order].sort((a, b) => a - b),
  )
  t.deepEqual(
    batches.flatMap(({ dataset }) => dataset.labels()),
    order,
  )
  t.true(batches.every(({ name, dataset, rows }) => name === '' && rows.length === dataset.length))
  t.is(batches.length, 13)
  t.is((await collect(of(20, true), 0)).length, 12)
  t.notDeepEqual((await collect(feed, 1)).flatMap(textsOf), order.map(String))
  t.deepEqual(
    (await collect(of(1), 0)).flatMap(textsOf),
    rows.map(({ text }) => text),
  )
  for (const skip of [1, 12, 13]) t.deepEqual(await collect(feed, 0, skip), batches.slice(skip))
})

test('streams: no_duplicates puts rows off', async (t) => {
  const words = fc.array(fc.tuple(fc.nat(9), fc.nat(9)), { maxLength: 60 })
  await fc.assert(
    fc.asyncProperty(words, fc.nat(9), fc.integer({ min: 1, max: 30 }), async (pairs, seed, shuffleBuffer) => {
      const rows = pairs.map(([a, b]) => ({ a: `${a}`, b: `${b}` }))
      const stream = DataStream.from(() => rows, { shuffleBuffer })
      const batches = await collect(createFeed(stream, { batchSampler: 'no_duplicates', batchSize: 4, seed }), 0)
      for (const batch of batches) {
        const texts = textsOf(batch).flatMap((text) => [...new Set(text.split(' '))])
        t.is(new Set(texts).size, texts.length)
      }
      t.deepEqual(batches.flatMap(textsOf).sort(), rows.map(({ a, b }) => `${a} ${b}`).sort())
    }),
  )
})

test('streams: no_duplicates with dropLast makes as many batches as it announces', async (t) => {
  const texts = Array.from({ length: 200 }, (_, i) => (i < 35 ? 'often' : `text ${i}`))
  const feed = (compat: boolean, length?: number) =>
    createFeed(
      DataStream.from(() => texts.map((text) => ({ text })), length === undefined ? {} : { length }),
      { batchSampler: 'no_duplicates', batchSize: 8, dropLast: true, compat },
    )
  const filled = feed(false, 200)
  t.is(filled.length, 25)
  const batches = await collect(filled, 2)
  t.is(batches.length, 25)
  for (const batch of batches) t.is(new Set(textsOf(batch)).size, 8)
  t.deepEqual(await collect(filled, 2, 24), batches.slice(24), 'a resumed run goes on with the same')
  t.is((await collect(feed(true, 200), 2)).length, 23)
  t.is((await collect(feed(false), 2)).length, 23, 'of unknown length nothing is announced')
})

test.serial('streams: another number of rows than the length says is told, once', async (t) => {
  const warnings: string[] = []
  const hear = ({ message }: Error) => void (message.includes('DataStream') && warnings.push(message))
  process.on('warning', hear)
  for (const [length, rows] of [
    [4, 4],
    [4, 3],
    [undefined, 3],
    [3, 4],
  ] as const) {
    const texts = Array.from({ length: rows }, (_, i) => ({ text: `${i}` }))
    const stream = DataStream.from(() => texts, length === undefined ? {} : { length })
    const feed = createFeed(stream, { batchSize: 2 })
    for (const epoch of [0, 1]) await collect(feed, epoch)
  }
  await new Promise((resolve) => setImmediate(resolve))
  process.off('warning', hear)
  t.deepEqual(
    warnings.map((message) => /length (\d+), but (\d+) rows/.exec(message)!.slice(1)),
    [
      ['4', '3'],
      ['3', '4'],
    ],
  )
})

test('streams: rows that do not fit are named by their number', async (t) => {
  const first = (rows: unknown[]) =>
    collect(
      createFeed(
        DataStream.from(() => rows as never, { shuffleBuffer: 1 }),
        { batchSize: 2 },
      ),
      0,
    )
  const data = { code: 'ERR_INVALID_DATA' }
  await t.throwsAsync(first([{ a: 'x' }, { a: 'x' }, { a: 3 }]), {
    ...data,
    message: /"a", row 2 of the stream, found 3/,
  })
  await t.throwsAsync(first([{ a: 'x' }, { b: 'x' }]), { ...data, message: /keys a in row 1 of the stream, found b/ })
  await t.throwsAsync(first([{ a: 'x' }, 3]), { ...data, message: /an object in row 1/ })
  await t.throwsAsync(first([{ return_loss: 'x' }]), { ...data, message: /reserved/ })
})

test('streams of files: the rows of Dataset.fromFile, changed and filtered', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'stream-test-'))
  const path = join(folder, 'a.tsv')
  writeFileSync(path, `text\tlabel\n${Array.from({ length: 3000 }, (_, i) => `t${i}\t${i}`).join('\n')}\n`)
  const stream = DataStream.fromFile([path, path], { shuffleBuffer: 1, columns: ['label', 'text'] })
  const odd = stream
    .filter(({ label }) => Number(label) % 2 === 1)
    .map(({ text, label }) => ({ text: `${text}!`, label }))
  const batches = await collect(createFeed(odd, { batchSize: 500 }), 0)
  t.is(batches.length, 6)
  t.deepEqual(batches[5]!.dataset.row(499), { text: 't2999!', label: 2999 })
  t.throws(() => DataStream.fromFile('x.txt'), { code: 'ERR_INVALID_ARGUMENT' })
  await t.throwsAsync(collect(createFeed(DataStream.fromFile(join(folder, 'b.csv')), { batchSize: 1 }), 0), {
    code: 'ERR_NOT_FOUND',
  })
})

test('options that do not fit are refused', (t) => {
  const argument = { code: 'ERR_INVALID_ARGUMENT' }
  const stream = DataStream.from(() => [])
  t.throws(() => createFeed({ a: stream, b: numbers(3) }, { batchSize: 1 }), {
    ...argument,
    message: /stream a .*length/,
  })
  t.is(createFeed({ a: stream }, { batchSize: 1, multiDatasetBatchSampler: 'round_robin' }).length, undefined)
  for (const batchSampler of ['group_by_label', () => ({}) as never] as const) {
    t.throws(() => createFeed(stream, { batchSize: 4, batchSampler }), { ...argument, message: /for a stream/ })
  }
  t.throws(() => createFeed({ news: numbers(3) }, { batchSize: 1, batchSampler: { new: 'sequential' } }), {
    ...argument,
    message: /"new", but there are news; did you mean news/,
  })
  t.throws(() => createFeed(numbers(3), { batchSize: 1, batchSampler: { a: 'sequential' } }), argument)
  t.throws(() => createFeed(numbers(3), { batchSize: 1, batchSampler: 'sequentially' as never }), argument)
  t.throws(() => createFeed({}, { batchSize: 1 }), argument)
  t.throws(() => createFeed({ a: [] as never }, { batchSize: 1 }), { ...argument, message: /dataset a/ })
  t.throws(() => createFeed({ a: numbers(3) }, { batchSize: 1, multiDatasetBatchSampler: 'robin' as never }), argument)
  t.throws(() => createFeed(numbers(3), {} as never), argument)
  t.throws(() => createFeed(numbers(3), { batchSize: 1, drop: true } as never), { code: 'ERR_UNKNOWN_OPTION' })
  t.throws(() => DataStream.from([] as never), argument)
  t.throws(() => DataStream.from(() => [], { shuffleBuffer: 0 }), argument)
})

test('several datasets in an order of your own', async (t) => {
  const feed = createFeed(
    { a: numbers(8), b: numbers(8) },
    {
      batchSize: 4,
      batchSampler: 'sequential',
      multiDatasetBatchSampler: (lengths, { names }) => {
        t.deepEqual([lengths, names], [
          [2, 2],
          ['a', 'b'],
        ] as never)
        return { length: 3, order: () => [1, 1, 1, 0] }
      },
    },
  )
  t.is(feed.length, 3)
  t.deepEqual(
    (await collect(feed, 0)).map(({ name, rows }) => [name, ...rows]),
    [
      ['b', 0, 1, 2, 3],
      ['b', 4, 5, 6, 7],
      ['a', 0, 1, 2, 3],
    ],
  )
})
