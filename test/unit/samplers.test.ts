import test from 'ava'
import fc from 'fast-check'
import { Dataset } from '../../lib/data/dataset.js'
import { Random } from '../../lib/data/random.js'
import { type BatchSamplerName, createBatchSampler, customBatchSampler } from '../../lib/data/samplers/index.js'

const names: BatchSamplerName[] = ['batch_sampler', 'no_duplicates']

/** Few different words, so that rows share texts in and across columns. */
const datasets = fc
  .tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 12 }))
  .chain(([columns, words]) =>
    fc.array(fc.array(fc.nat(words), { minLength: columns, maxLength: columns }), { maxLength: 60 }),
  )
  .map((rows) => Dataset.fromRows(rows.map((row) => Object.fromEntries(row.map((word, i) => [`text${i}`, `${word}`])))))
const batchSizes = fc.integer({ min: 1, max: 9 })
const seeds = fc.integer({ min: 0, max: 2 ** 40 })

async function collect(batches: AsyncIterable<Int32Array>): Promise<number[][]> {
  const rows: number[][] = []
  for await (const batch of batches) rows.push([...batch])
  return rows
}

for (const name of names) {
  test(`${name}: every row exactly once per epoch`, async (t) => {
    await fc.assert(
      fc.asyncProperty(datasets, batchSizes, seeds, fc.nat(3), async (dataset, batchSize, seed, epoch) => {
        const batches = await collect(createBatchSampler(name, dataset, { batchSize, seed }).batches(epoch))
        const order = batches.flat().sort((a, b) => a - b)
        t.deepEqual(order, [...Array(dataset.length).keys()])
        t.true(batches.every((batch) => batch.length >= 1 && batch.length <= batchSize))
      }),
    )
  })

  test(`${name}: with dropLast only full batches, no row twice in one`, async (t) => {
    await fc.assert(
      fc.asyncProperty(datasets, batchSizes, seeds, async (dataset, batchSize, seed) => {
        const sampler = createBatchSampler(name, dataset, { batchSize, seed, dropLast: true })
        const batches = await collect(sampler.batches(0))
        t.true(batches.every((batch) => batch.length === batchSize && new Set(batch).size === batchSize))
        if (name === 'batch_sampler') t.is(new Set(batches.flat()).size, batches.flat().length)
        t.true(batches.length <= sampler.length)
        t.deepEqual(await collect(sampler.batches(0)), batches)
      }),
    )
  })

  test(`${name}: seed and epoch decide, and nothing else`, async (t) => {
    const dataset = Dataset.fromColumns({ text: Array.from({ length: 100 }, (_, i) => `${i}`) })
    const batches = (seed: number, epoch: number) =>
      collect(createBatchSampler(name, dataset, { batchSize: 8, seed }).batches(epoch))
    const sampler = createBatchSampler(name, dataset, { batchSize: 8, seed: 42 })
    const first = await collect(sampler.batches(0))
    const second = await collect(sampler.batches(1))
    t.notDeepEqual(first, second)
    t.deepEqual(await collect(sampler.batches(0)), first)
    t.deepEqual(await batches(42, 1), second)
    t.notDeepEqual(await batches(43, 0), first)
    t.notDeepEqual(await batches(43, 0), second, 'seed + epoch must not be the only thing that counts')
    t.notDeepEqual(await batches(42 + 2 ** 32, 0), first)
  })

  test(`${name}: length counts batches as Python does`, async (t) => {
    const dataset = Dataset.fromColumns({ text: Array.from({ length: 10 }, (_, i) => `${i}`) })
    const of = async (batchSize: number, dropLast: boolean) => {
      const sampler = createBatchSampler(name, dataset, { batchSize, dropLast })
      t.is(sampler.length, (await collect(sampler.batches(0))).length)
      return sampler.length
    }
    const lengths = await Promise.all([
      of(3, false),
      of(3, true),
      of(5, false),
      of(5, true),
      of(11, false),
      of(11, true),
    ])
    t.deepEqual(lengths, [4, 3, 2, 2, 1, 0])
  })
}

test('no_duplicates: no text twice in a batch, in whichever columns; no batch could have been fuller', async (t) => {
  await fc.assert(
    fc.asyncProperty(datasets, batchSizes, seeds, async (dataset, batchSize, seed) => {
      const textsOf = (row: number) => new Set(dataset.textColumns.map((column) => dataset.texts(column)[row]!))
      const batches = await collect(createBatchSampler('no_duplicates', dataset, { batchSize, seed }).batches(0))
      batches.forEach((batch, i) => {
        const seen = new Set<string>()
        for (const row of batch) {
          for (const text of textsOf(row)) {
            t.false(seen.has(text))
            seen.add(text)
          }
        }
        if (batch.length === batchSize) return
        for (const later of batches.slice(i + 1).flat()) t.true([...textsOf(later)].some((text) => seen.has(text)))
      })
    }),
  )
})

/** NoDuplicatesBatchSampler of sentence-transformers, word for word, on a given order. */
function referenceBatches(dataset: Dataset, order: number[], batchSize: number): number[][] {
  const batches: number[][] = []
  let remaining = order
  while (remaining.length > 0) {
    const values = new Set<string>()
    const batch: number[] = []
    for (const row of remaining) {
      const texts = dataset.textColumns.map((column) => dataset.texts(column)[row]!)
      if (batch.length === batchSize || texts.some((text) => values.has(text))) continue
      batch.push(row)
      for (const text of texts) values.add(text)
    }
    batches.push(batch)
    remaining = remaining.filter((row) => !batch.includes(row))
  }
  return batches
}

test('no_duplicates: puts rows off exactly like the reference', async (t) => {
  await fc.assert(
    fc.asyncProperty(datasets, batchSizes, fc.nat(100), async (dataset, batchSize, seed) => {
      const order = [...new Random(seed, 0).permutation(dataset.length)]
      const batches = await collect(createBatchSampler('no_duplicates', dataset, { batchSize, seed }).batches(0))
      t.deepEqual(batches, referenceBatches(dataset, order, batchSize))
    }),
    { numRuns: 500 },
  )
})

/** The warnings that `work` gives. */
async function warningsOf(work: () => Promise<unknown>): Promise<string[]> {
  const messages: string[] = []
  const hear = (warning: Error) => messages.push(warning.message)
  process.on('warning', hear)
  await work()
  // They are emitted in the next tick.
  await new Promise((resolve) => setImmediate(resolve))
  process.off('warning', hear)
  return messages
}

test.serial('no_duplicates: with dropLast as many batches come as are announced, and a warning says how', async (t) => {
  // Every batch takes the frequent text once and seven others, of which there are 165: 23 full batches in a pass.
  const texts = Array.from({ length: 200 }, (_, i) => (i < 35 ? 'often' : `text ${i}`))
  const make = (compat: boolean) =>
    createBatchSampler('no_duplicates', Dataset.fromColumns({ texts }), { batchSize: 8, dropLast: true, compat })
  const sampler = make(false)
  t.is(sampler.length, 25)
  const messages = await warningsOf(async () => {
    for (const epoch of [0, 0, 1]) {
      const batches = await collect(sampler.batches(epoch))
      t.is(batches.length, 25)
      t.is(new Set(batches.slice(0, 23).flat()).size, 23 * 8, 'the first pass repeats no row')
      for (const batch of batches) t.is(new Set(batch.map((row) => texts[row])).size, 8)
    }
  })
  t.is(messages.length, 1, 'once')
  t.regex(messages[0]!, /fills 23 of the announced 25 .* up to 8\.0 % .* repeat rows/)
  t.is((await collect(make(true).batches(0))).length, 23, 'as in 6.0.1')
})

test.serial('no_duplicates: when no batch can be full there is none, and a warning says why', async (t) => {
  const dataset = Dataset.fromColumns({ text: Array.from({ length: 100 }, (_, i) => `${i % 10}`) })
  const sampler = createBatchSampler('no_duplicates', dataset, { batchSize: 16, dropLast: true })
  const messages = await warningsOf(async () => t.deepEqual(await collect(sampler.batches(0)), []))
  t.is(messages.length, 1)
  t.regex(messages[0]!, /0 of the announced 6 batches came.*smaller/)
})

test('group_by_label: the row that an odd label leaves out is another in other epochs', async (t) => {
  const label = [0, 0, 0, 1, 1, 1, 2, 2, 2]
  const dataset = Dataset.fromColumns({ text: label.map((_, row) => `${row}`), label })
  const sampler = createBatchSampler('group_by_label', dataset, { batchSize: 6 })
  const seen = new Set<number>()
  for (let epoch = 0; epoch < 20; epoch++)
    for (const row of (await collect(sampler.batches(epoch))).flat()) seen.add(row)
  t.is(seen.size, 9)
})

test('no_duplicates: labels are not compared, a row may repeat its own text', async (t) => {
  const dataset = Dataset.fromColumns({ a: ['x', 'y', 'z'], b: ['x', '1', '2'], label: [1, 1, 1] })
  const batches = await collect(createBatchSampler('no_duplicates', dataset, { batchSize: 3 }).batches(0))
  t.is(batches.length, 1)
})

test('no_duplicates: few class names among many rows', async (t) => {
  const rows = Array.from({ length: 2000 }, (_, i) => ({ text: `t${i % 900}`, name: `class ${i % 7}` }))
  const dataset = Dataset.fromRows(rows)
  const order = [...new Random(3, 1).permutation(2000)]
  const batches = await collect(createBatchSampler('no_duplicates', dataset, { batchSize: 5, seed: 3 }).batches(1))
  t.deepEqual(batches, referenceBatches(dataset, order, 5))
})

test('no_duplicates_hashed is no_duplicates', async (t) => {
  const dataset = Dataset.fromColumns({ a: ['x', 'y', 'x', 'z'], b: ['1', 'x', '2', '3'] })
  const batches = (name: BatchSamplerName) =>
    collect(createBatchSampler(name, dataset, { batchSize: 3, seed: 1 }).batches(0))
  t.deepEqual(await batches('no_duplicates_hashed'), await batches('no_duplicates'))
})

test('no_duplicates: lists of texts are compared as wholes', async (t) => {
  const dataset = Dataset.fromColumns({ docs: [['a', 'b'], ['b'], ['a', 'b'], ['a']] })
  const batches = await collect(createBatchSampler('no_duplicates', dataset, { batchSize: 4 }).batches(0))
  t.deepEqual(
    batches.map((batch) => batch.length),
    [3, 1],
  )
})

test('sequential: the order of the dataset, in every epoch', async (t) => {
  const dataset = Dataset.fromColumns({ text: ['a', 'b', 'c', 'd', 'e'] })
  const sampler = createBatchSampler('sequential', dataset, { batchSize: 2, seed: 5 })
  for (const epoch of [0, 1]) t.deepEqual(await collect(sampler.batches(epoch)), [[0, 1], [2, 3], [4]])
  const full = createBatchSampler('sequential', dataset, { batchSize: 2, dropLast: true })
  t.deepEqual(await collect(full.batches(0)), [
    [0, 1],
    [2, 3],
  ])
  t.deepEqual([sampler.length, full.length], [3, 2])
})

test('group_by_label: two rows of two labels in every batch, no row twice', async (t) => {
  const labels = fc.array(fc.nat(5), { minLength: 4, maxLength: 80 })
  const sizes = fc.integer({ min: 2, max: 8 }).map((half) => half * 2)
  let made = 0
  await fc.assert(
    fc.asyncProperty(labels, sizes, seeds, fc.boolean(), async (label, batchSize, seed, dropLast) => {
      const counts = [0, 1, 2, 3, 4, 5].map((value) => label.filter((each) => each === value).length)
      const dataset = Dataset.fromColumns({ text: label.map(String), label })
      const make = () => createBatchSampler('group_by_label', dataset, { batchSize, seed, dropLast })
      if (counts.filter((count) => count >= 2).length < 2) {
        t.throws(make, { code: 'ERR_INVALID_DATA', message: /at least 2 labels/ })
        return
      }
      made++
      const sampler = make()
      const batches = await collect(sampler.batches(2))
      t.is(batches.length, sampler.length)
      t.is(new Set(batches.flat()).size, batches.flat().length)
      for (const batch of batches) {
        const of = batch.map((row) => label[row]!)
        t.true(batch.length === batchSize || (!dropLast && batch.length >= 4))
        t.true(new Set(of).size >= 2)
        for (const value of of) t.true(of.filter((each) => each === value).length >= 2)
      }
    }),
  )
  t.true(made > 50)
})

test('group_by_label: what it cannot work with is refused', (t) => {
  const make = (columns: Record<string, unknown[]>, batchSize = 4) =>
    createBatchSampler('group_by_label', Dataset.fromColumns(columns), { batchSize })
  const text = ['a', 'b', 'c', 'd']
  for (const size of [2, 5]) {
    t.throws(() => make({ text, label: [0, 0, 1, 1] }, size), { code: 'ERR_INVALID_ARGUMENT', message: /even/ })
  }
  t.throws(() => make({ text }), { code: 'ERR_INVALID_DATA', message: /label column/ })
  t.throws(() => make({ text, label: [[0], [0], [1], [1]] }), { code: 'ERR_INVALID_DATA', message: /one number/ })
  t.throws(() => make({ text, label: [0, 0, null, 1] }), { code: 'ERR_INVALID_DATA', message: /row 2/ })
})

test('a sampler of your own gets what it needs and is checked', async (t) => {
  const dataset = Dataset.fromColumns({ text: ['a', 'b', 'c'] })
  const seen: unknown[] = []
  const sampler = createBatchSampler(
    customBatchSampler(async function* (given, options) {
      seen.push(given, options)
      yield [2, 0]
      yield Int32Array.of(options.epoch)
    }),
    dataset,
    { batchSize: 2, seed: 9 },
  )
  t.is(sampler.length, 2)
  t.deepEqual(await collect(sampler.batches(1)), [[2, 0], [1]])
  t.is(seen[0], dataset)
  t.deepEqual(seen[1], { batchSize: 2, seed: 9, dropLast: false, epoch: 1 })
  const of = (batch: never, length?: number) =>
    createBatchSampler(
      customBatchSampler(() => [[1], batch], length === undefined ? {} : { length }),
      dataset,
      { batchSize: 1 },
    )
  t.is(of([0] as never, 7).length, 7)
  for (const batch of [[], [3], [-1], [0.5], undefined, 'a'] as never[]) {
    await t.throwsAsync(collect(of(batch).batches(0)), { code: 'ERR_INVALID_DATA', message: /0 to 2 in batch 1/ })
  }
  t.throws(() => customBatchSampler(3 as never), { code: 'ERR_INVALID_ARGUMENT' })
  t.throws(() => createBatchSampler((() => ({})) as never, dataset, { batchSize: 1 }), {
    message: /customBatchSampler/,
  })
})

test('unknown names and batch sizes are refused', (t) => {
  const dataset = Dataset.fromColumns({ text: ['a'] })
  const make =
    (name: string, batchSize = 1) =>
    () =>
      createBatchSampler(name as BatchSamplerName, dataset, { batchSize })
  t.throws(make('no_duplicate'), { code: 'ERR_INVALID_ARGUMENT', message: /did you mean "no_duplicates"/ })
  t.throws(make('toString'), { code: 'ERR_INVALID_ARGUMENT' })
  t.throws(make('batch_sampler', 0), { code: 'ERR_INVALID_ARGUMENT', message: /batchSize/ })
  t.throws(make('batch_sampler', 1.5), { code: 'ERR_INVALID_ARGUMENT' })
})

test('random numbers are those of xoshiro128**, spread evenly', (t) => {
  const random = new Random(1)
  // The generator itself, from a known state: first outputs of the C source with state 1, 2, 3, 4.
  const known = new Random()
  Object.assign(known, { state: Uint32Array.of(1, 2, 3, 4) })
  t.deepEqual(
    Array.from({ length: 4 }, () => known.nextUint32()),
    [11520, 0, 5927040, 70819200],
  )
  const counts = new Array(7).fill(0)
  for (let i = 0; i < 70_000; i++) counts[random.below(7)]++
  t.true(
    counts.every((count) => Math.abs(count - 10_000) < 500),
    counts.join(),
  )
  const firsts = new Array(5).fill(0)
  for (let seed = 0; seed < 5000; seed++) firsts[new Random(seed).permutation(5)[0]!]++
  t.true(
    firsts.every((count) => Math.abs(count - 1000) < 150),
    firsts.join(),
  )
  const value = random.float()
  t.true(value >= 0 && value < 1)
})
