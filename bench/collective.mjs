// node bench/collective.mjs [--sizes 2,4,8] [--rate 500mbit] [--compute 0.25,1] [--models all-MiniLM-L6-v2,bert-base]
// [--rounds 7]
//
// What processes on this machine take to sum gradients, beside what the model of docs/scale.md predicts. Latency and bandwidth are measured with
// two processes; then each step of 2, 4 and 8 processes is a timed wait in place of the computation, with the real sums of the gradients of
// all-MiniLM-L6-v2 and bert-base in four buckets, three of which pass while the wait goes on. With --rate each process has a network
// interface of its own in a namespace of its own, which tc limits so (Linux, root); without, they share the loopback. One line of JSON.
import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { freePort } from '../dist/lib/io/free-port.js'
import { readLaunch } from '../dist/lib/training/distributed/launch.js'
import { Ranks } from '../dist/lib/training/distributed/ranks.js'
import { machines, whyNoMachines } from '../test/network/namespaces.mjs'
import { median } from './common/statistics.mjs'
import { BACKWARD, BUCKETS, gradientBytes, MODELS, stepSeconds } from './scale.mjs'

const { values: options } = parseArgs({
  options: {
    sizes: { type: 'string', default: '2,4,8' },
    rate: { type: 'string' },
    compute: { type: 'string', default: '0.25,1' },
    models: { type: 'string', default: Object.keys(MODELS).join(',') },
    rounds: { type: 'string', default: '7' },
    worker: { type: 'boolean', default: false },
  },
})
const ROUNDS = Number(options.rounds)
const COMPUTES = options.compute.split(',').map(Number)
const PORT = 29_500
/** Bytes whose sum takes as long as it takes to send them. */
const LARGE = 100e6

const seconds = async (work) => {
  const begun = performance.now()
  await work()
  return (performance.now() - begun) / 1000
}

/** Waits as long as computing would take, without a core: the sums pass on the engine's thread meanwhile. */
function wait(time) {
  if (time > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000 * time)
}

/** What rank 0 prints. */
async function measure() {
  const ranks = await Ranks.join(readLaunch(), 120)
  const barrier = () => ranks.exchange(0)
  const timed = async (rounds, work) => {
    const times = []
    for (let round = 0; round < rounds + 2; round++) {
      await barrier()
      const time = await seconds(work)
      // The first ones open buffers.
      if (round > 1) times.push(time)
    }
    return median(times)
  }
  const small = new Float32Array(1)
  const out = { small: await timed(200, () => ranks.native.sum(small)), steps: [] }
  const large = new Float32Array(LARGE / 4)
  const before = process.cpuUsage()
  out.large = await timed(ROUNDS, () => ranks.native.sum(large))
  const { user, system } = process.cpuUsage(before)
  out.processor = (user + system) / 1e6 / (ROUNDS + 2)
  for (const name of options.models.split(',')) {
    const bytes = gradientBytes(MODELS[name], ranks.size)
    const buckets = Array.from({ length: BUCKETS }, () => new Float32Array(Math.ceil(bytes / 4 / BUCKETS)))
    for (const compute of COMPUTES) {
      const step = async () => {
        wait((1 - BACKWARD) * compute)
        const sums = []
        for (const bucket of buckets) {
          wait((BACKWARD / BUCKETS) * compute)
          sums.push(ranks.native.sum(bucket))
        }
        await Promise.all(sums)
      }
      out.steps.push({ model: name, bytes, compute, measured: await timed(ROUNDS, step) })
    }
  }
  await ranks.leave()
  if (ranks.isMain) console.log(JSON.stringify(out))
}

/** Runs so many processes. */
async function run(size) {
  const network = options.rate === undefined ? undefined : machines(size, options.rate)
  const [host, port] = network ? [network.addresses[0], PORT] : ['127.0.0.1', await freePort()]
  try {
    const outputs = await Promise.all(
      Array.from({ length: size }, (_, rank) => {
        const own = [process.execPath, fileURLToPath(import.meta.url), '--worker']
        const given = ['--compute', options.compute, '--rounds', options.rounds, '--models', options.models]
        const [program, ...words] = [...(network?.on(rank) ?? []), ...own, ...given]
        const env = { RANK: rank, WORLD_SIZE: size, MASTER_ADDR: host, MASTER_PORT: port }
        const child = spawn(program, words, {
          env: {
            ...process.env,
            OMP_WAIT_POLICY: 'PASSIVE',
            SENTENCE_TORCH_THREADS: '1',
            GLOO_SOCKET_IFNAME: network ? 'eth0' : '',
            ...env,
          },
          stdio: ['ignore', 'pipe', 'inherit'],
        })
        let text = ''
        child.stdout.on('data', (data) => (text += data))
        return new Promise((resolve, reject) => {
          child.on('close', (code) =>
            code === 0 ? resolve(text) : reject(new Error(`Rank ${rank} ended with ${code}`)),
          )
        })
      }),
    )
    return JSON.parse(outputs[0])
  } finally {
    network?.close()
  }
}

if (options.worker) await measure()
else {
  const why = options.rate === undefined ? undefined : whyNoMachines()
  if (why !== undefined) {
    console.log(`Skipped: ${why}`)
    process.exit(0)
  }
  const sizes = options.sizes.split(',').map(Number)
  const found = new Map()
  for (const size of sizes) found.set(size, await run(size))
  // A sum of two processes is two messages, of half the bytes each.
  const two = found.get(2) ?? (await run(2))
  const latency = two.small / 2
  const bandwidth = LARGE / (two.large - two.small)
  const steps = [...found].flatMap(([workers, { steps }]) =>
    steps.map(({ compute, bytes, measured, ...step }) => {
      const predicted = stepSeconds({ workers, tokens: 1, secondsPerToken: compute, bytes, latency, bandwidth })
      return { workers, ...step, bytes, compute, measured, predicted, off: predicted / measured - 1 }
    }),
  )
  const sums = [...found].map(([workers, { small, large, processor }]) => ({ workers, small, large, processor }))
  console.log(
    JSON.stringify({
      rate: options.rate ?? null,
      cores: availableParallelism(),
      latency,
      bandwidth,
      sums,
      steps,
    }),
  )
}
