// node bench/corpus.mjs [--texts N] [--processes N] [--dtype bfloat16] [--model FOLDER] [--folder FOLDER]: examples/corpus from its texts (default a million)
// to a search, without a store: seconds, seconds of the processor, memory of the processes, bytes on disk, milliseconds of a query. One
// JSON line each. What is in `--folder` is kept, and a run that was stopped goes on there.
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { EmbeddingIndex, EncodedFiles, mergeIndexes, SentenceTransformer } from '../dist/lib/index.js'
import { loadAddon } from '../dist/lib/native/load.js'
import { quantile } from './common/statistics.mjs'

const { values } = parseArgs({
  options: {
    texts: { type: 'string', default: '1000000' },
    processes: { type: 'string', default: '2' },
    folder: { type: 'string' },
    dtype: { type: 'string', default: 'float32' },
    model: { type: 'string', default: fileURLToPath(new URL('../../shared/models/all-MiniLM-L6-v2', import.meta.url)) },
  },
})
const { texts, processes, dtype, model: place } = values
const example = (name) => fileURLToPath(new URL(`../examples/corpus/${name}`, import.meta.url))
const { cpuKernels } = loadAddon().runtime()
const machine = { processor: cpus()[0].model, kernels: cpuKernels, cores: cpus().length }
const print = (figure, figures) => console.log(JSON.stringify({ figure, ...figures, ...machine }))
const round = (value) => Math.round(value * 100) / 100
const folder = values.folder ?? (await mkdtemp(join(tmpdir(), 'sentence-torch-bench-')))
await mkdir(folder, { recursive: true })
const file = join(folder, 'texts.jsonl')
const vectors = join(folder, 'vectors')
const index = join(folder, 'texts.index')

/** Runs a program of the example; what it and the processes that it starts have used, as Linux tells it while they run. */
async function measured(name, words) {
  const begin = performance.now()
  const env = { ...process.env, MODEL: place, DTYPE: dtype }
  const child = spawn(process.execPath, [example(name), ...words], { env, stdio: ['ignore', 'ignore', 'pipe'] })
  let errors = ''
  child.stderr.on('data', (data) => {
    errors = (errors + data).slice(-4000)
  })
  const seen = new Map()
  let most = 0
  const look = () => {
    let together = 0
    for (const pid of [child.pid, ...childrenOf(child.pid)]) {
      const one = usageOf(pid)
      if (one === undefined) continue
      const { peak = 0 } = seen.get(pid) ?? {}
      seen.set(pid, { ...one, peak: Math.max(peak, one.megabytes) })
      together += one.megabytes
    }
    most = Math.max(most, together)
  }
  const timer = setInterval(look, 250)
  const code = await new Promise((resolve) => child.on('close', resolve))
  clearInterval(timer)
  if (code !== 0) throw new Error(`${name} ended with ${code}: ${errors}`)
  const all = [...seen.values()]
  return {
    seconds: round((performance.now() - begin) / 1000),
    processorSeconds: round(all.reduce((sum, { seconds }) => sum + seconds, 0)),
    peakMB: Math.round(Math.max(...all.map(({ peak }) => peak))),
    peakTogetherMB: Math.round(most),
  }
}

function childrenOf(pid) {
  return read(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number)
}

function usageOf(pid) {
  // Behind the name, which may hold anything: the 12th and 13th fields are ticks of a hundredth of a second.
  const fields = read(`/proc/${pid}/stat`).split(') ')[1]?.split(' ')
  const kilobytes = /VmRSS:\s+(\d+)/.exec(read(`/proc/${pid}/status`))?.[1]
  if (fields === undefined || kilobytes === undefined) return undefined
  return { seconds: (Number(fields[11]) + Number(fields[12])) / 100, megabytes: Number(kilobytes) / 1024 }
}

function read(path) {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}

function processorSeconds(since) {
  const { user, system } = process.cpuUsage(since)
  return (user + system) / 1e6
}

/** Milliseconds of a query by its vector; the first ones read what later ones find in the system's cache. */
async function query(search, rows) {
  const times = []
  let used = process.cpuUsage()
  for (const row of rows) {
    const begin = performance.now()
    await search(row)
    times.push(performance.now() - begin)
    if (times.length === 1) used = process.cpuUsage()
  }
  const queries = times.length - 1
  const processorMs = round(processorSeconds(used) * (1000 / queries))
  return { firstMs: round(times[0]), p50Ms: round(quantile(times.slice(1), 0.5)), processorMs, queries }
}

try {
  print('texts', {
    texts: Number(texts),
    ...(await measured('make-texts.mjs', [file, texts])),
    bytes: (await stat(file)).size,
  })
  const encoded = await measured('encode.mjs', [file, vectors, processes])
  const bytes = readdirSync(vectors).reduce((sum, name) => sum + statSync(join(vectors, name)).size, 0)
  print('encode', {
    dtype,
    processes: Number(processes),
    ...encoded,
    textsASecond: Math.round(texts / encoded.seconds),
    bytes,
  })

  const model = await SentenceTransformer.load(place, { dtype })
  const asked = Array.from({ length: 21 }, (_, i) => `Which parcel ${i} went to Lisbon?`)
  const embeddings = await model.encodeQuery(asked)
  await model.dispose()
  const rows = asked.map((_, i) => embeddings.row(i))
  const files = await EncodedFiles.open(vectors)
  print('search of the folder', await query((row) => files.search(row), rows.slice(0, 6)))
  const begin = performance.now()
  const used = process.cpuUsage()
  await mergeIndexes(index, [vectors], { precision: 'int8' })
  print('merge-index', {
    precision: 'int8',
    seconds: round((performance.now() - begin) / 1000),
    processorSeconds: round(processorSeconds(used)),
    bytes: (await stat(index)).size,
  })
  const merged = await EmbeddingIndex.open(index)
  print('search of the index', await query((row) => merged.search(row), rows))
  await merged.close()
  print('peak of this process', { peakMB: Math.round(process.resourceUsage().maxRSS / 1024) })
} finally {
  if (values.folder === undefined) await rm(folder, { recursive: true, force: true })
}
