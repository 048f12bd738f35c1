// node bench/soak.mjs: a long run of a tiny model that reports, evaluates and saves all the while. Prints one JSON object: how
// fast memory grows after the warm-up, what stays open afterwards, how late the event loop was. Exit code 1 where a bar is missed.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setImmediate } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Dataset, losses, SentenceTransformer, SentenceTransformerTrainer } from 'sentence-torch'
import { tinyFolder, tinyWords } from '../dist/test/helpers/tiny-folder.js'

const HELP = `node bench/soak.mjs [options]    (after npm run build)

  --steps N      optimiser steps (default 36000)
  --warm-up N    steps before memory is looked at (default 16000: until then the JavaScript heap still touches new pages)`

const { values: options } = parseArgs({
  options: {
    steps: { type: 'string', default: '36000' },
    'warm-up': { type: 'string', default: '16000' },
    help: { type: 'boolean' },
  },
})
if (options.help) {
  console.log(HELP)
  process.exit()
}
const STEPS = Number(options.steps)
const WARM_UP = Number(options['warm-up'])
const BARS = { rssMbPer10kSteps: 1, p99Ms: 20 }
const MB = 2 ** 20

function sentences(count, seed) {
  let state = seed
  const next = (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
  return Array.from({ length: count }, () =>
    Array.from({ length: 3 + next(8) }, () => tinyWords[next(tinyWords.length)]).join(' '),
  )
}

/** Slope of the line through [x, y] with the least squares. */
function slope(points) {
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length
  const [x, y] = [mean(points.map(([x]) => x)), mean(points.map(([, y]) => y))]
  const [xy, xx] = points.reduce(([xy, xx], [a, b]) => [xy + (a - x) * (b - y), xx + (a - x) ** 2], [0, 0])
  return xy / xx
}

const work = mkdtempSync(join(tmpdir(), 'soak-'))
const delay = monitorEventLoopDelay({ resolution: 10 })
const memory = []
/** Open resources by kind. */
function open() {
  const counts = {}
  for (const name of process.getActiveResourcesInfo()) counts[name] = (counts[name] ?? 0) + 1
  return counts
}
// Both are opened by their first use and stay.
process.stdout.write('')
process.stderr.write('')
// A model this small is faster on one thread.
process.env.OMP_NUM_THREADS ??= '1'
await setImmediate()
const openBefore = open()
try {
  const model = await SentenceTransformer.load(await tinyFolder(join(work, 'model')))
  const pairs = (rows, seed) =>
    Dataset.fromColumns({ anchor: sentences(rows, seed), positive: sentences(rows, seed + 1) })
  const trainer = new SentenceTransformerTrainer({
    model,
    trainDataset: pairs(4000, 1),
    evalDataset: pairs(64, 3),
    loss: new losses.MultipleNegativesRankingLoss(),
    progress: false,
    args: {
      ...{ outputDir: join(work, 'out'), maxSteps: STEPS, perDeviceTrainBatchSize: 8, learningRate: 1e-4 },
      ...{ loggingSteps: 100, evalStrategy: 'steps', evalSteps: 2000, saveSteps: 5000, logTimings: true },
      ...{ reportTo: ['tensorboard', 'jsonl', 'csv'], loggingDir: join(work, 'log') },
    },
  })
  const started = performance.now()
  let last
  const types = {}
  for await (const event of trainer.run()) {
    types[event.type] = (types[event.type] ?? 0) + 1
    if (event.type === 'step' && event.step % 250 === 0) {
      globalThis.gc?.()
      if (event.step >= WARM_UP) memory.push([event.step, process.memoryUsage.rss(), process.memoryUsage().heapUsed])
      // What the warm-up and the collections asked for here take is not the trainer's.
      if (event.step === WARM_UP) delay.enable()
    }
    last = event
  }
  delay.disable()
  const seconds = (performance.now() - started) / 1000
  await model.dispose()
  for (let i = 0; i < 10; i++) await setImmediate()
  const openAfter = open()
  const result = {
    steps: last.result.globalStep,
    stepsPerSecond: Math.round(STEPS / seconds),
    events: types,
    rssMb: Math.round(memory.at(-1)[1] / MB),
    rssMbPer10kSteps: Number(((slope(memory.map(([step, rss]) => [step, rss])) * 1e4) / MB).toFixed(3)),
    heapMbPer10kSteps: Number(((slope(memory.map(([step, , heap]) => [step, heap])) * 1e4) / MB).toFixed(3)),
    eventLoopDelayMs: { p50: delay.percentile(50) / 1e6, p99: delay.percentile(99) / 1e6, max: delay.max / 1e6 },
    openBefore,
    openAfter,
  }
  const leaks = Object.keys(openAfter).filter((name) => openAfter[name] > (openBefore[name] ?? 0))
  const passed =
    result.rssMbPer10kSteps < BARS.rssMbPer10kSteps &&
    leaks.length === 0 &&
    result.eventLoopDelayMs.p99 - 10 < BARS.p99Ms
  console.log(JSON.stringify({ ...result, leaks, passed }))
  process.exitCode = passed ? 0 : 1
} finally {
  rmSync(work, { recursive: true, force: true })
}
