// node bench/embedding-index.mjs [--rows N]: an index of N rows (default a million) of width 384: milliseconds of a query with ten hits,
// by precision; and of real sentences the share of the ten best rows that are found, by number of candidates. One JSON line each.
import { createReadStream, existsSync } from 'node:fs'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { EmbeddingIndex, SentenceTransformer, util } from '../dist/lib/index.js'
import { loadAddon } from '../dist/lib/native/load.js'
import { quantile } from './common/statistics.mjs'

const { values: options } = parseArgs({ options: { rows: { type: 'string', default: '1000000' } } })
const ROWS = Number(options.rows)
const DIM = 384
const PART = 100_000
const QUERIES = 200
const SHARED = new URL('../../shared/', import.meta.url).pathname
const { cpuKernels, threads } = loadAddon().runtime()
const machine = { processor: cpus()[0].model, kernels: cpuKernels, threads }
const print = (figures) => console.log(JSON.stringify({ ...figures, ...machine }))
const folder = await mkdtemp(join(tmpdir(), 'sentence-torch-bench-'))

/** Random rows; what they hold hardly matters for the time. */
function randomRows(rows, seed) {
  let state = seed
  const data = new Float32Array(rows * DIM)
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    data[i] = state / 2 ** 32 - 0.5
  }
  return { data, shape: [rows, DIM] }
}

async function speed(precision) {
  const path = join(folder, `${precision}.index`)
  const begin = performance.now()
  let index = await EmbeddingIndex.create(path, { embeddings: randomRows(Math.min(PART, ROWS), 1), precision })
  for (let rows = PART; rows < ROWS; rows += PART) {
    await index.add({ embeddings: randomRows(Math.min(PART, ROWS - rows), 1 + rows) })
  }
  const built = performance.now() - begin
  await index.close()
  const opening = performance.now()
  index = await EmbeddingIndex.open(path)
  const opened = performance.now() - opening
  const count = precision === 'float32' ? 10 : QUERIES
  const queries = randomRows(count + 5, 7)
  const times = []
  for (let q = 0; q < count + 5; q++) {
    const query = queries.data.slice(q * DIM, (q + 1) * DIM)
    const start = performance.now()
    await index.search(query)
    // The first ones read what later ones find in the system's cache.
    if (q >= 5) times.push(performance.now() - start)
  }
  await index.close()
  print({
    ...{ figure: 'query', precision, rows: ROWS, dim: DIM, queries: count },
    ...{
      p50Ms: round(quantile(times, 0.5)),
      p99Ms: round(quantile(times, 0.99)),
      buildMs: round(built),
      openMs: round(opened),
    },
    ...{ fileBytes: (await stat(path)).size, rssMB: Math.round(process.memoryUsage().rss / 1e6) },
  })
  await rm(path)
}

const round = (value) => Math.round(value * 100) / 100

async function lines(file, pick) {
  const found = []
  for await (const line of createInterface({ input: createReadStream(SHARED + file) }))
    found.push(pick(JSON.parse(line)))
  return found
}

async function recall() {
  const model = await SentenceTransformer.load(`${SHARED}models/all-MiniLM-L6-v2`)
  const answers = await lines('data/squad/train-question-sentences.jsonl', (row) => row.answer_sentence)
  const others = await lines('data/nli/mnli-train-13k.jsonl', (row) => row.hypothesis)
  const questions = await lines('data/squad/dev-questions.jsonl', (row) => row.question)
  const embeddings = await model.encode([...new Set([...answers, ...others])])
  const queries = await model.encode(questions.slice(0, 500))
  await model.dispose()
  const exact = (await util.semanticSearch(queries, embeddings)).map((hits) => new Set(hits.map((hit) => hit.corpusId)))
  for (const [precision, multipliers] of [
    ['int8', [1, 2, 4]],
    ['binary', [1, 4, 10, 20, 40]],
  ]) {
    const path = join(folder, `${precision}.index`)
    const index = await EmbeddingIndex.create(path, { embeddings, precision })
    for (const rescoreMultiplier of multipliers) {
      const found = await index.search(queries, { rescoreMultiplier })
      const common = found.map((hits, q) => hits.filter((hit) => exact[q].has(hit.corpusId)).length)
      const share = common.reduce((sum, n) => sum + n, 0) / (10 * found.length)
      print({
        figure: 'recall@10',
        precision,
        rescoreMultiplier,
        recall: Math.round(share * 1e4) / 1e4,
        rows: embeddings.shape[0],
        queries: 500,
      })
    }
    await index.close()
    await rm(path)
  }
}

try {
  for (const precision of ['binary', 'int8', 'float32']) await speed(precision)
  if (existsSync(`${SHARED}models/all-MiniLM-L6-v2`)) await recall()
} finally {
  await rm(folder, { recursive: true, force: true })
}
