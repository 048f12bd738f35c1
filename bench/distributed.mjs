// node bench/distributed.mjs [--python PYTHON] [--rounds N] [--steps N] [--batch N] [--peer false]: one training by two processes with one thread
// each, by one process with two, and by two processes of Python's (DistributedDataParallel over Gloo), in turns: all-MiniLM-L6-v2, pairs of the
// STS benchmark, MultipleNegativesRankingLoss over the rows of all processes, dropout on. One line of JSON:
//
//   stepsPerSecond   median of the rounds, by program; the first steps of each are left out
//   ofOneProcess     two processes against one (bar 0.9), medians of the rounds' ratios
//   times            two processes against two of Python's (bar 3)
//   cpuSeconds       of all processes together, for a step: what a busy machine disturbs less
//   timings          milliseconds of a step of two processes: the engine's parts, waiting for sums, sums beside the backward pass
//   device           what all of them train on (SENTENCE_TORCH_DEVICE); on `cuda` each process takes a GPU of its own
//   curve            how far the losses of two processes are off those of one, relative, over all steps (bar 1e-6)
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Dataset, losses, SentenceTransformer, SentenceTransformerTrainer } from '../dist/lib/index.js'
import { freePort } from '../dist/lib/io/free-port.js'
import { loadAddon } from '../dist/lib/native/load.js'
import { modelFolder, pythonProgram } from './common/peers.mjs'
import { median } from './common/statistics.mjs'

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    python: { type: 'string', default: pythonProgram },
    rounds: { type: 'string', default: '3' },
    steps: { type: 'string', default: '50' },
    batch: { type: 'string', default: '64' },
    peer: { type: 'string', default: 'true' },
  },
})
const [STEPS, BATCH] = [Number(options.steps), Number(options.batch)]
/** Steps in which memory is taken and threads are started. */
const WARM_UP = 5
const MODEL = modelFolder('all-MiniLM-L6-v2')
const DATA = fileURLToPath(new URL('../../shared/data/stsb/train.tsv', import.meta.url))

/** What a process prints: its losses and seconds. */
async function train() {
  const processes = Number(process.env.WORLD_SIZE ?? 1)
  const rows = readFileSync(DATA, 'utf8').trim().split('\n').slice(1)
  const pairs = rows.map((row) => row.split('\t').slice(0, 2)).slice(0, BATCH * STEPS)
  const model = await SentenceTransformer.load(MODEL)
  const [times, found, spent, timings] = [[], [], [], []]
  await new SentenceTransformerTrainer({
    model,
    trainDataset: Dataset.fromRows(pairs.map(([anchor, positive]) => ({ anchor, positive }))),
    loss: new losses.MultipleNegativesRankingLoss(model, { gatherAcrossDevices: processes > 1 }),
    args: {
      maxSteps: STEPS,
      perDeviceTrainBatchSize: BATCH / processes,
      learningRate: 2e-5,
      saveStrategy: 'no',
      loggingSteps: 1,
      logTimings: true,
      reportTo: 'none',
    },
    callbacks: [
      {
        onStepEnd: () => {
          times.push(performance.now())
          spent.push(process.cpuUsage())
        },
        onLog: (record) => {
          if (record.loss === undefined) return
          found.push(record.loss)
          timings.push(record)
        },
      },
    ],
    progress: false,
  }).train()
  const seconds = (times.at(-1) - times[WARM_UP]) / 1000
  const cpu = spent.at(-1).user + spent.at(-1).system - spent[WARM_UP].user - spent[WARM_UP].system
  await model.dispose()
  const steps = STEPS - 1 - WARM_UP
  const names = Object.keys(timings[0]).filter((name) => name.startsWith('time_'))
  const means = names.map((name) => [name, median(timings.slice(WARM_UP).map((record) => record[name] * 1000))])
  const parts = Object.fromEntries(means.map(([name, time]) => [name.slice(5), Number(time.toPrecision(3))]))
  console.log(
    JSON.stringify({ losses: found, stepsPerSecond: steps / seconds, cpuSeconds: cpu / 1e6 / steps, timings: parts }),
  )
}

/** Processes of one training. @returns what the first one printed last, with the processor time of all */
async function run(program, args, processes, threads) {
  const port = await freePort()
  const ranks = Array.from({ length: processes }, (_, rank) => {
    const launcher = { RANK: rank, LOCAL_RANK: rank, WORLD_SIZE: processes, LOCAL_WORLD_SIZE: processes }
    const env = {
      ...process.env,
      ...(processes > 1 && { ...launcher, MASTER_ADDR: '127.0.0.1', MASTER_PORT: port }),
      ...{ SENTENCE_TORCH_THREADS: threads, OMP_NUM_THREADS: threads },
    }
    const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
    let [out, errors] = ['', '']
    child.stdout.on('data', (text) => (out += text))
    child.stderr.on('data', (text) => (errors += text))
    return new Promise((resolve, reject) =>
      child.on('close', (code) =>
        code === 0 ? resolve(out) : reject(new Error(`rank ${rank} ended with ${code}: ${errors.slice(-2000)}`)),
      ),
    )
  })
  const found = (await Promise.all(ranks)).map((out) => JSON.parse(out.trimEnd().split('\n').at(-1)))
  return { ...found[0], cpuSeconds: found.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0) }
}

if (positionals[0] === 'train') {
  await train()
} else {
  const own = [fileURLToPath(import.meta.url), 'train', '--steps', options.steps, '--batch', options.batch]
  const peer = [
    fileURLToPath(new URL('distributed_peer.py', import.meta.url)),
    MODEL,
    DATA,
    options.steps,
    options.batch,
  ]
  const programs = {
    two: () => run(process.execPath, own, 2, 1),
    one: () => run(process.execPath, own, 1, 2),
    ...(options.peer === 'true' && { python: () => run(options.python, peer, 2, 1) }),
  }
  const found = Object.fromEntries(Object.keys(programs).map((name) => [name, []]))
  for (let round = 0; round < Number(options.rounds); round++) {
    for (const [name, start] of Object.entries(programs)) found[name].push(await start())
  }
  const rates = (name) => found[name].map(({ stepsPerSecond }) => stepsPerSecond)
  const against = (name) => Number(median(rates('two').map((rate, i) => rate / rates(name)[i])).toPrecision(3))
  const medians = (key) =>
    Object.fromEntries(
      Object.entries(found).map(([name, runs]) => [name, Number(median(runs.map((run) => run[key])).toPrecision(4))]),
    )
  const [two, one] = [found.two[0].losses, found.one[0].losses]
  console.log(
    JSON.stringify({
      theme: 'distributed',
      ...{ batch: BATCH, steps: STEPS },
      stepsPerSecond: medians('stepsPerSecond'),
      cpuSeconds: medians('cpuSeconds'),
      timings: found.two.at(-1).timings,
      ofOneProcess: against('one'),
      ...(found.python && { times: against('python') }),
      curve: Math.max(...two.map((loss, i) => Math.abs(loss - one[i]) / Math.abs(one[i]))),
      device: process.env.SENTENCE_TORCH_DEVICE || 'cpu',
      ...{ processor: cpus()[0].model, kernels: loadAddon().runtime().cpuKernels, cores: cpus().length },
    }),
  )
}
