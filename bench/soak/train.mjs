// A long training of a tiny model that reports, evaluates and saves all the while: `train.mjs STEPS WARM_UP`.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Dataset, losses, SentenceTransformer, SentenceTransformerTrainer } from 'sentence-torch'
import { tinyFolder } from '../../dist/test/helpers/tiny-folder.js'
import { judge, leftOpen, Memory, openAtFirst, sentences } from './common.mjs'

const [STEPS, WARM_UP] = process.argv.slice(2).map(Number)
const BARS = { rssMbPer10kSteps: 1, p99Ms: 20 }

const work = mkdtempSync(join(tmpdir(), 'soak-'))
const delay = monitorEventLoopDelay({ resolution: 10 })
const memory = new Memory()
// A model this small is faster on one thread.
process.env.OMP_NUM_THREADS ??= '1'
const openBefore = await openAtFirst()
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
      memory.sample(event.step)
      // What the warm-up and the collections asked for here take is not the trainer's.
      if (event.step === WARM_UP) delay.enable()
    }
    last = event
  }
  delay.disable()
  const seconds = (performance.now() - started) / 1000
  await model.dispose()
  const leaks = await leftOpen(openBefore)
  const growth = memory.growth(WARM_UP, 1e4)
  const p99 = delay.percentile(99) / 1e6
  const result = {
    steps: last.result.globalStep,
    stepsPerSecond: Math.round(STEPS / seconds),
    events: types,
    mbPer10kSteps: growth,
    eventLoopDelayMs: { p50: delay.percentile(50) / 1e6, p99, max: delay.max / 1e6 },
    leaks,
  }
  judge('train', result, growth.rss < BARS.rssMbPer10kSteps && leaks.length === 0 && p99 - 10 < BARS.p99Ms)
} finally {
  rmSync(work, { recursive: true, force: true })
}
