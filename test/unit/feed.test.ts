import test from 'ava'
import { Dataset } from '../../lib/data/dataset.js'
import { createFeed, type DataBatch, type DataFeed } from '../../lib/data/feed.js'
import { createBatchSampler } from '../../lib/data/samplers/index.js'

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
