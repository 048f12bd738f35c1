// node bench/samplers.mjs: no_duplicates on a million pairs. CPU seconds of the first epoch (texts are numbered) and of the
// second, memory that it takes, and how late timers are meanwhile. One JSON line for each kind of data.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createBatchSampler } from '../dist/lib/data/samplers/index.js'
import { Dataset } from '../dist/lib/index.js'

const PAIRS = 1_000_000
const BATCH = 64
const kinds = {
  'all texts different': (i) => [`a man is doing thing number ${i} in the park`, `the person does ${i} outside today`],
  'nine pairs for a text': (i) => [
    `a man is doing thing number ${Math.floor(i / 9)}`,
    `the person does ${i % 300_000}`,
  ],
  '77 class names': (i) => [`a man is doing thing number ${i} in the park`, `class ${i % 77}`],
}

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc')
const cpuSeconds = async (work) => {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1e6
}

function datasetOf(pair) {
  const pairs = Array.from({ length: PAIRS }, (_, i) => pair(i))
  return Dataset.fromColumns({ anchor: pairs.map(([a]) => a), positive: pairs.map(([, b]) => b) })
}

for (const [data, pair] of Object.entries(kinds)) {
  const dataset = datasetOf(pair)
  collectGarbage()
  const before = process.memoryUsage()
  const delays = monitorEventLoopDelay({ resolution: 1 })
  delays.enable()
  const sampler = createBatchSampler('no_duplicates', dataset, { batchSize: BATCH, seed: 1 })
  let batches = 0
  const epoch = async (number) => {
    for await (const _ of sampler.batches(number)) batches++
  }
  const first = await cpuSeconds(() => epoch(0))
  const second = await cpuSeconds(() => epoch(1))
  delays.disable()
  collectGarbage()
  const after = process.memoryUsage()
  // Of the sampler alone. (The heap shrinks: hashing a text that was put together makes it one piece.)
  const megabytes = (after.arrayBuffers - before.arrayBuffers) / 1e6
  const record = { data, pairs: PAIRS, batches: batches / 2, first_epoch_cpu_s: first, second_epoch_cpu_s: second }
  console.log(
    JSON.stringify({ ...record, kept_mb: Math.round(megabytes), timer_late_p99_ms: delays.percentile(99) / 1e6 }),
  )
}
