// Serving beside training: texts of random number and length, from a model in training and from another one: `serve.mjs ENCODES`.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Dataset, losses, SentenceTransformer, SentenceTransformerTrainer } from 'sentence-torch'
import { tinyFolder } from '../../dist/test/helpers/tiny-folder.js'
import { judge, leftOpen, Memory, openAtFirst, random, sentences } from './common.mjs'

const ENCODES = Number(process.argv[2])
const WARM_UP = ENCODES / 3
const BAR_MB_PER_10K = 1
/** Calls that wait for each other's engine, as those of a server do. */
const AT_ONCE = 4

const work = mkdtempSync(join(tmpdir(), 'soak-'))
const openBefore = await openAtFirst()
try {
  const trained = await SentenceTransformer.load(await tinyFolder(join(work, 'trained'), 1))
  const served = await SentenceTransformer.load(await tinyFolder(join(work, 'served'), 2))
  const abort = new AbortController()
  let steps = 0
  const training = new SentenceTransformerTrainer({
    model: trained,
    trainDataset: Dataset.fromColumns({ anchor: sentences(4000, 1, 1, 20), positive: sentences(4000, 2, 1, 20) }),
    loss: new losses.MultipleNegativesRankingLoss(),
    progress: false,
    callbacks: [{ onStepEnd: () => void steps++ }],
    args: {
      ...{ outputDir: join(work, 'out'), maxSteps: 1e9, perDeviceTrainBatchSize: 8, learningRate: 1e-5 },
      ...{ saveStrategy: 'no', loggingSteps: 1000 },
    },
  })
    .train({ signal: abort.signal })
    .then(
      () => 'ended by itself',
      (error) => error.code ?? error,
    )

  const texts = sentences(1000, 3, 1, 30)
  const expected = await served.encode(texts)
  const next = random(4)
  const memory = new Memory()
  const started = performance.now()
  let calls = 0
  let wrong = 0
  const serve = async () => {
    while (calls < ENCODES) {
      const call = calls++
      if (call % 500 === 0) memory.sample(call)
      const [first, count] = [next(texts.length), 1 + next(next(20) === 0 ? 64 : 4)]
      const some = texts.slice(first, first + count)
      const { data } = await (call % 2 ? served : trained).encode(some)
      const width = data.length / some.length
      const right = (value, i) =>
        call % 2 ? Math.abs(value - expected.data[first * width + i]) < 1e-5 : Number.isFinite(value)
      if (!data.every(right)) wrong++
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, serve))
  const seconds = (performance.now() - started) / 1000
  memory.sample(calls)
  abort.abort()
  const end = await training
  await Promise.all([trained.dispose(), served.dispose()])
  const leaks = await leftOpen(openBefore)
  const growth = memory.growth(WARM_UP, 1e4)
  const result = {
    ...{ encodes: calls, encodesPerSecond: Math.round(calls / seconds), steps, wrong },
    ...{ mbPer10kCalls: growth, leaks, end: String(end) },
  }
  const asAsked = end === 'ERR_ABORTED' && steps > 0
  judge('serve', result, growth.rss < BAR_MB_PER_10K && wrong === 0 && leaks.length === 0 && asAsked)
} finally {
  rmSync(work, { recursive: true, force: true })
}
