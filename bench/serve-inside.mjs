// Queries inside a process that does other work, one JSON line each:
//   calls:    so many one-text calls at once beside one call of all texts, in turns
//   clients:  64 callers, each of whom sends the next text when it has its answer, beside one call of all texts
//   training: a query every 50 ms beside a training of another model: its latency, and what the training loses, in turns A B A B
// node bench/serve-inside.mjs [--data ../shared/data] [--model ../shared/models/all-MiniLM-L6-v2] [--rounds 6] [--steps 25]
//   [--parts calls,clients,training] [--workloads sts,squad]
import { parseArgs } from 'node:util'
import { Dataset, losses, SentenceTransformer, SentenceTransformerTrainer } from 'sentence-torch'
import { TRAINING } from './common/workloads.mjs'
import { cpuMs, engineFacts, say } from './trials/trial.mjs'

const EVERY_MS = 50
const BATCHES = { sts: 32, squad: 16 }
const text = (value) => ({ type: 'string', default: value })
const { values: options } = parseArgs({
  options: {
    ...{ data: text('../shared/data'), model: text('../shared/models/all-MiniLM-L6-v2'), rounds: text('6') },
    ...{ steps: text('25'), parts: text('calls,clients,training'), workloads: text('sts,squad') },
  },
})
const [rounds, steps] = [Number(options.rounds), Number(options.steps)]
const does = (part) => options.parts.split(',').includes(part)

const at = (values, share) =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(share * values.length))]
const median = (values) => at(values, 0.5)
const rounded = (value) => Number(value.toFixed(2))

async function timed(work) {
  const [start, cpu] = [performance.now(), cpuMs()]
  await work()
  return { ms: performance.now() - start, cpu: cpuMs() - cpu }
}

/** Two ways of the same work in turns: medians, and the rate of the second as a share of that of the first. */
async function inTurns(first, second, turns) {
  const found = [[], []]
  for (let i = 0; i < 2 * (turns + 2); i++) {
    const measured = await timed(i % 2 ? second : first)
    if (i > 3) found[i % 2].push(measured)
  }
  const [one, many] = found.map((all) => ({
    ms: median(all.map(({ ms }) => ms)),
    cpu: median(all.map(({ cpu }) => cpu)),
  }))
  return {
    ...{ oneCallMs: rounded(one.ms), manyCallsMs: rounded(many.ms), share: rounded(one.ms / many.ms) },
    ...{ oneCallCpuMs: rounded(one.cpu), manyCallsCpuMs: rounded(many.cpu), cpuShare: rounded(one.cpu / many.cpu) },
  }
}

const sts = TRAINING.sts.read(options.data)
const texts = [...sts.sentence1, ...sts.sentence2]
const served = await SentenceTransformer.load(options.model)

if (does('calls')) {
  for (const count of [64, 256]) {
    const some = texts.slice(0, count)
    const many = () => Promise.all(some.map((one) => served.encode(one)))
    say({ theme: 'calls', count, ...(await inTurns(() => served.encode(some), many, 5 * rounds)) })
  }
}

if (does('clients')) {
  const some = texts.slice(0, 1024)
  const clients = async () => {
    let next = 0
    const client = async () => {
      while (next < some.length) await served.encode(some[next++])
    }
    await Promise.all(Array.from({ length: 64 }, client))
  }
  say({
    theme: 'clients',
    clients: 64,
    texts: some.length,
    ...(await inTurns(() => served.encode(some), clients, rounds)),
  })
}

/** Sends a query every 50 ms, whether or not earlier ones are answered, while it is on. */
class Queries {
  latencies = []
  isOn = false
  #count = 0
  #timer = setInterval(() => {
    if (!this.isOn) return
    const start = performance.now()
    served.encode(texts[this.#count++ % texts.length]).then(() => this.latencies.push(performance.now() - start))
  }, EVERY_MS)

  stop() {
    clearInterval(this.#timer)
  }
}

async function beside(name) {
  const workload = TRAINING[name]
  const columns = Object.fromEntries(
    Object.entries(workload.read(options.data)).map(([key, all]) => [
      key,
      Array.from({ length: 2048 }, (_, i) => all[(i * 1009) % all.length]),
    ]),
  )
  const model = await SentenceTransformer.load(options.model)
  const queries = new Queries()
  const parts = { alone: [], beside: [] }
  const warmUp = 5
  let begun
  await new SentenceTransformerTrainer({
    model,
    trainDataset: Dataset.fromColumns(columns),
    loss: new losses[workload.loss](),
    args: {
      ...{ maxSteps: warmUp + 2 * rounds * steps, perDeviceTrainBatchSize: BATCHES[name], learningRate: 2e-5 },
      ...{ saveStrategy: 'no', batchSampler: 'sequential' },
    },
    callbacks: [
      {
        onStepEnd({ state }) {
          const step = state.globalStep - warmUp
          if (step < 0 || step % steps !== 0) return
          const now = { at: performance.now(), cpu: cpuMs() }
          const part = queries.isOn ? parts.beside : parts.alone
          if (begun) part.push({ ms: (now.at - begun.at) / steps, cpu: (now.cpu - begun.cpu) / steps })
          begun = now
          queries.isOn = step > 0 && !queries.isOn
        },
      },
    ],
    progress: false,
  }).train()
  queries.stop()
  await model.dispose()
  const [alone, with20] = [parts.alone, parts.beside].map((all) => ({
    ms: median(all.map(({ ms }) => ms)),
    cpu: median(all.map(({ cpu }) => cpu)),
  }))
  const { latencies } = queries
  say({
    ...{ theme: 'training', workload: name, batch: BATCHES[name], queries: latencies.length },
    ...{
      p50Ms: rounded(median(latencies)),
      p99Ms: rounded(at(latencies, 0.99)),
      mostMs: rounded(Math.max(...latencies)),
    },
    ...{ stepMs: rounded(alone.ms), stepBesideMs: rounded(with20.ms), loses: rounded(with20.ms / alone.ms - 1) },
    ...{
      stepCpuMs: rounded(alone.cpu),
      stepBesideCpuMs: rounded(with20.cpu),
      losesCpu: rounded(with20.cpu / alone.cpu - 1),
    },
  })
}

if (does('training')) for (const name of options.workloads.split(',')) await beside(name)
await served.dispose()
say(await engineFacts())
