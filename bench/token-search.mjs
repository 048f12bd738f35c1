// node bench/token-search.mjs [--texts N] [--precisions float32,float16,int8,binary] [--queries N] [--folder DIR]
//
// An index on the disk of N texts (default 100,000) with 128 vectors of 128 numbers each, all of which are compared with a query of
// 32 vectors: milliseconds a query, the first one with the checksums; the most memory that the searching process had (a process of its
// own, whose heap is limited to 256 MB); and of 200 texts the largest distance of a score to plain sums in double precision, of the
// numbers that are kept and of those that were given. One JSON line a precision.
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { EmbeddingIndex, TokenEmbeddings } from '../dist/lib/index.js'
import { loadAddon } from '../dist/lib/native/load.js'
import { median } from './common/statistics.mjs'

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    texts: { type: 'string', default: '100000' },
    precisions: { type: 'string', default: 'float32,float16,int8,binary' },
    queries: { type: 'string', default: '5' },
    folder: { type: 'string', default: tmpdir() },
  },
})
const TEXTS = Number(options.texts)
const [TOKENS, DIMENSION, QUERY_TOKENS, GROUP, SAMPLE] = [128, 128, 32, 2000, 200]

/** Random vectors of length 1, the same for a seed. */
function vectors(texts, tokens, seed) {
  const data = new Float32Array(texts * tokens * DIMENSION)
  let state = seed * 2654435761
  for (let start = 0; start < data.length; start += DIMENSION) {
    let squares = 0
    for (let i = start; i < start + DIMENSION; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      const value = state / 2 ** 31 - 1
      data[i] = value
      squares += value * value
    }
    const scale = 1 / Math.sqrt(squares)
    for (let i = start; i < start + DIMENSION; i++) data[i] *= scale
  }
  const offsets = Int32Array.from({ length: texts + 1 }, (_, i) => i * tokens)
  return new TokenEmbeddings(data, offsets, DIMENSION)
}

async function build(path, precision) {
  let index
  for (let first = 0; first < TEXTS; first += GROUP) {
    const embeddings = vectors(Math.min(GROUP, TEXTS - first), TOKENS, 1 + first)
    if (index) await index.add({ embeddings })
    else index = await EmbeddingIndex.create(path, { embeddings, precision })
  }
  await index.close()
}

/** MaxSim in double precision. */
function plain(query, document) {
  let sum = 0
  for (let q = 0; q < query.shape[0]; q++) {
    let best = -Infinity
    for (let d = 0; d < document.shape[0]; d++) {
      let product = 0
      for (let i = 0; i < DIMENSION; i++) product += query.data[q * DIMENSION + i] * document.data[d * DIMENSION + i]
      best = Math.max(best, product)
    }
    sum += best
  }
  return sum
}

async function search(path) {
  const index = await EmbeddingIndex.open(path)
  const queries = vectors(Number(options.queries), QUERY_TOKENS, 99)
  const times = []
  let all
  for (let q = 0; q < queries.length; q++) {
    const start = performance.now()
    const hits = await index.search(queries.slice(q, q + 1), { topK: q === 0 ? TEXTS : 10 })
    times.push(performance.now() - start)
    all ??= hits[0]
  }
  const peakMB = Math.round(process.resourceUsage().maxRSS / 1000)
  const given = vectors(Math.min(GROUP, TEXTS), TOKENS, 1)
  const kept = await (await given.toPrecision(index.precision)).toPrecision('float32')
  const off = { kept: 0, given: 0 }
  for (const { corpusId, score } of all) {
    if (corpusId >= SAMPLE) continue
    for (const [name, rows] of Object.entries({ kept, given })) {
      off[name] = Math.max(off[name], Math.abs(score - plain(queries.row(0), rows.row(corpusId))))
    }
  }
  await index.close()
  return { firstMs: times[0], queryMs: median(times.slice(1)), peakMB, offKept: off.kept, offGiven: off.given }
}

if (positionals[0] === 'search') {
  console.log(JSON.stringify(await search(positionals[1])))
} else {
  const { cpuKernels, threads } = loadAddon().runtime()
  const machine = { processor: cpus()[0].model, kernels: cpuKernels, threads, cores: cpus().length }
  const folder = await mkdtemp(join(options.folder, 'sentence-torch-tokens-'))
  try {
    for (const precision of options.precisions.split(',')) {
      const path = join(folder, `${precision}.index`)
      const start = performance.now()
      await build(path, precision)
      const buildSeconds = Math.round((performance.now() - start) / 1000)
      const args = ['--max-old-space-size=256', fileURLToPath(import.meta.url), 'search', path]
      const more = ['--texts', options.texts, '--queries', options.queries]
      const { status, stdout, stderr } = spawnSync(process.execPath, [...args, ...more], { encoding: 'utf8' })
      if (status !== 0) throw new Error(`The search ended with ${status}: ${stderr.slice(-2000)}`)
      const fileMB = Math.round((await stat(path)).size / 1e6)
      const found = Object.fromEntries(
        Object.entries(JSON.parse(stdout)).map(([name, value]) => [name, Number(value.toPrecision(3))]),
      )
      const shape = { texts: TEXTS, tokens: TOKENS, dimension: DIMENSION, queryTokens: QUERY_TOKENS }
      console.log(
        JSON.stringify({ theme: 'token-search', precision, ...shape, fileMB, buildSeconds, ...found, ...machine }),
      )
      await rm(path)
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
