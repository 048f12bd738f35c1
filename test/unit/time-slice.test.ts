import { setImmediate } from 'node:timers/promises'
import test from 'ava'
import { Dataset } from '../../lib/data/dataset.js'
import { Random } from '../../lib/data/random.js'
import { createBatchSampler } from '../../lib/data/samplers/index.js'
import { shuffledRows } from '../../lib/data/shuffled-rows.js'
import { runInSlices, TimeSlice } from '../../lib/data/time-slice.js'

test('the event loop runs when the slice is over, not before', async (t) => {
  let time = 100
  const slice = new TimeSlice(() => time)
  let others = 0
  const immediate = setImmediate().then(() => others++)
  time += 2
  t.false(slice.isOver)
  await slice.yield()
  t.is(others, 0)
  time += 2
  t.true(slice.isOver)
  await slice.yield()
  await immediate
  t.is(others, 1)
  t.false(slice.isOver, 'a new slice begins then')
})

class CountingSlice extends TimeSlice {
  asked = 0
  override async yield(): Promise<void> {
    this.asked++
  }
}

test('shuffling in slices is the same shuffle', async (t) => {
  for (const rows of [0, 1, 2, 1000, 16_384, 16_385, 16_386, 40_000]) {
    const slice = new CountingSlice()
    t.deepEqual(await runInSlices(shuffledRows(rows, new Random(7, 3)), slice), new Random(7, 3).permutation(rows))
    t.true(slice.asked >= Math.floor((rows - 1) / 16_384))
  }
})

test('no_duplicates on many rows lets the event loop run before the first batch', async (t) => {
  const rows = 100_000
  const texts = (kind: string) => Array.from({ length: rows }, (_, i) => `${kind} ${(i * 7919) % rows}`)
  const dataset = Dataset.fromColumns({ anchor: texts('a'), positive: texts('b') })
  const batches = createBatchSampler('no_duplicates', dataset, { batchSize: 32, seed: 1 }).batches(0)
  const iterator = batches[Symbol.asyncIterator]()
  let turns = 0
  let done = false
  const counting = (async () => {
    for (; !done; turns++) await setImmediate()
  })()
  await iterator.next()
  done = true
  await counting
  // In one piece it would be one; it is some tenths of a second in slices of a few milliseconds.
  t.true(turns >= 5, `${turns}`)
  await iterator.return?.()
})
