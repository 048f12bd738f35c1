// node bench/serve.mjs [--model FOLDER] [--dtype float32|bfloat16|int8] [--seconds N] [--rounds N] [--parts together,lone,load]
// [--peer PYTHON]: the server of sentence-torch/serve, with its client in a process of its own on the same cores. One JSON line each:
//
//   together  texts a second of 64 concurrent requests with one text each, beside one `encode` of all of them
//   lone      milliseconds of one query over HTTP and in process, in turns
//   load      four times as many requests as the server can answer, for --seconds: what became of them, p99 beside that at capacity,
//             memory of the server
//   peer      `together` of bench/serve_peer.py (sentence-transformers and fastembed behind FastAPI, with a queue that forms batches), in
//             turns with ours; PYTHON has both, fastapi and uvicorn
import { fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { SentenceTransformer } from '../dist/lib/index.js'
import { loadAddon } from '../dist/lib/native/load.js'
import { serve } from '../dist/lib/serve/index.js'
import { median } from './common/statistics.mjs'

const { values: options } = parseArgs({
  options: {
    model: { type: 'string', default: fileURLToPath(new URL('../../shared/models/all-MiniLM-L6-v2', import.meta.url)) },
    dtype: { type: 'string', default: 'float32' },
    seconds: { type: 'string', default: '300' },
    rounds: { type: 'string', default: '5' },
    parts: { type: 'string', default: 'together,lone,load' },
    peer: { type: 'string' },
  },
})
const ROUNDS = Number(options.rounds)
const TEXTS = 2048
const QUERIES = 200
/** Texts in work at a time while the server is overloaded. */
const LIMIT = 64
const { cpuKernels, threads } = loadAddon().runtime()
const { dtype } = options
const machine = { dtype, processor: cpus()[0].model, kernels: cpuKernels, threads, cores: cpus().length }
const print = (figures) => console.log(JSON.stringify({ ...figures, ...machine }))
const rounded = (value) => Number(value.toPrecision(4))

/** Sentences of the STS benchmark, or made-up ones of about their length. */
function sentences(count) {
  const file = new URL('../../shared/data/stsb/dev.tsv', import.meta.url)
  const found = existsSync(file)
    ? readFileSync(file, 'utf8')
        .split(/[\t\n]/)
        .filter((text) => / .* /.test(text))
    : []
  const words = 'a man is playing the guitar while two dogs run over green field and it rains in town'.split(' ')
  const made = (i) => Array.from({ length: 8 + (i % 7) }, (_, k) => words[(i * 7 + k * 5) % words.length]).join(' ')
  return Array.from({ length: count }, (_, i) => found[i % Math.max(1, found.length)] ?? made(i))
}

/** The client process: what it is told to do, and what it measured. */
const client = fork(new URL('./serve-client.mjs', import.meta.url), { stdio: 'inherit' })
async function ask(task) {
  client.send(task)
  const [answer] = await once(client, 'message')
  return answer
}

const texts = sentences(TEXTS)
const model = await SentenceTransformer.load(options.model, { dtype })
await model.encode(texts.slice(0, 256))
const server = await serve({ models: { model }, port: 0, maxConcurrentRequests: 4096 })
const together = (url) => ask({ kind: 'together', url, texts, concurrent: 64 })
await together(server.url)

async function measureTogether() {
  const [whole, served, wholeTime, servedTime] = [[], [], [], []]
  const used = (since) => {
    const { user, system } = process.cpuUsage(since)
    return (user + system) / 1000
  }
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now()
    const before = process.cpuUsage()
    await model.encode(texts, { normalizeEmbeddings: true })
    whole.push((TEXTS / (performance.now() - start)) * 1000)
    wholeTime.push(used(before) / TEXTS)
    const between = process.cpuUsage()
    const { rate, processorMilliseconds } = await together(server.url)
    served.push(rate)
    servedTime.push((used(between) + processorMilliseconds) / TEXTS)
  }
  const times = { encode: rounded(median(wholeTime)), http: rounded(median(servedTime)) }
  print({
    part: 'together',
    ...{ encode: rounded(median(whole)), http: rounded(median(served)) },
    ratio: rounded(median(served.map((rate, i) => rate / whole[i]))),
    bar: 0.75,
    // Of both processes, a text: what a busy machine changes least.
    processorMilliseconds: { ...times, ratio: rounded(times.encode / times.http) },
  })
}

async function measureLone() {
  const inProcess = []
  const http = []
  for (let i = 0; i < QUERIES; i++) {
    const text = texts[i % texts.length]
    const start = performance.now()
    await model.encode(text, { normalizeEmbeddings: true })
    inProcess.push(performance.now() - start)
    http.push((await ask({ kind: 'lone', url: server.url, text })).milliseconds)
  }
  const [own, served] = [median(inProcess), median(http)]
  print({ part: 'lone', inProcess: rounded(own), http: rounded(served), bar: rounded(1.5 * own + 1) })
}

async function measureLoad() {
  const seconds = Number(options.seconds)
  const limited = await serve({ models: { model }, port: 0, maxConcurrentRequests: LIMIT })
  const { rate } = await ask({ kind: 'together', url: limited.url, texts, concurrent: LIMIT })
  const run = (factor, time) => ask({ kind: 'load', url: limited.url, texts, rate: factor * rate, seconds: time })
  await run(1, Math.min(5, seconds))
  const capacity = await run(1, Math.min(20, seconds))
  globalThis.gc?.()
  const memory = []
  const timer = setInterval(() => memory.push(process.memoryUsage().rss / 2 ** 20), 1000)
  const overload = await run(4, seconds)
  clearInterval(timer)
  await limited.close()
  const third = Math.max(1, Math.floor(memory.length / 3))
  print({
    part: 'load',
    seconds,
    ...{ rate: rounded(rate), capacity, overload },
    p99Ratio: rounded(overload.p99 / capacity.p99),
    bar: 2,
    megabytesFirstThird: rounded(median(memory.slice(0, third))),
    megabytesLastThird: rounded(median(memory.slice(-third))),
  })
}

async function measurePeer(python, engine, folder) {
  const program = fileURLToPath(new URL('./serve_peer.py', import.meta.url))
  const peer = spawn(python, [program, engine, folder], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [url] = await once(createInterface(peer.stdout), 'line')
  const [ours, theirs] = [[], []]
  await together(url)
  for (let round = 0; round < ROUNDS; round++) {
    ours.push((await together(server.url)).rate)
    theirs.push((await together(url)).rate)
  }
  peer.kill()
  const ratio = rounded(median(ours.map((rate, i) => rate / theirs[i])))
  print({
    part: 'peer',
    engine,
    ours: rounded(median(ours)),
    theirs: rounded(median(theirs)),
    ratio,
    bar: dtype === 'float32' ? 1.6 : 2.5,
  })
}

const parts = { together: measureTogether, lone: measureLone, load: measureLoad }
for (const name of options.parts.split(',').filter(Boolean)) await parts[name]()
if (options.peer) {
  await measurePeer(options.peer, 'sentence-transformers', options.model)
  // The same weights as ONNX.
  const folder = mkdtempSync(join(tmpdir(), 'sentence-torch-serve-'))
  const exported = await SentenceTransformer.load(options.model)
  await exported.exportOnnx(folder)
  await exported.dispose()
  await measurePeer(options.peer, 'fastembed', folder)
  rmSync(folder, { recursive: true })
}
client.kill()
await server.close()
await model.dispose()
