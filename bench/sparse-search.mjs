// node bench/sparse-search.mjs --python PYTHON [--documents N] [--queries N] [--rounds N]: exact search of sparse rows of SPLADE's shape beside
// sentence-transformers' semantic_search over sparse tensors, in turns (A B A B …), with as many threads. One JSON line a trial, then the
// ratios. `semanticSearch` makes the inverted index at each call; `InvertedIndex` is a search with one that is there.
import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { InvertedIndex, SparseEmbeddings, util } from '../dist/lib/index.js'
import { loadAddon } from '../dist/lib/native/load.js'

const { values: options } = parseArgs({
  options: {
    python: { type: 'string', default: 'python3' },
    documents: { type: 'string', default: '100000' },
    queries: { type: 'string', default: '100' },
    rounds: { type: 'string', default: '3' },
  },
})
const DIMENSION = 30_522
const TOP_K = 10
const { cpuKernels, threads } = loadAddon().runtime()
const machine = { processor: cpus()[0].model, kernels: cpuKernels, threads }

let state = 1
function random() {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0
  return state / 2 ** 32
}

/** Rows of about `active` words. Their frequencies fall with their rank, as those of a language do. */
function randomRows(count, active) {
  const rows = Array.from({ length: count }, () => {
    const words = new Set()
    const wanted = Math.round(active * (0.5 + random()))
    while (words.size < wanted) words.add(Math.floor(DIMENSION ** random()) - 1)
    const indices = Int32Array.from(words).sort()
    return { indices, values: Float32Array.from(indices, () => 3 * random() ** 2 + 0.01) }
  })
  return SparseEmbeddings.fromRows(rows, DIMENSION)
}

const folder = await mkdtemp(join(tmpdir(), 'sentence-torch-bench-'))
const queries = randomRows(Number(options.queries), 40)
const corpus = randomRows(Number(options.documents), 120)
for (const [name, rows] of Object.entries({ queries, corpus }))
  for (const part of ['indices', 'values', 'offsets']) await writeFile(join(folder, `${name}-${part}`), rows[part])

const shape = { documents: corpus.length, values: corpus.values.length, queries: queries.length, dimension: DIMENSION }
const print = (figures) => console.log(JSON.stringify({ ...figures, ...shape, ...machine }))
const ours = { scoreFunction: 'dot', topK: TOP_K }
const times = { semanticSearch: [], InvertedIndex: [], python: [] }
const index = await InvertedIndex.from(corpus)
await util.semanticSearch(queries, index, ours)
let hits
for (let round = 0; round < Number(options.rounds); round++) {
  for (const [name, there] of [
    ['semanticSearch', corpus],
    ['InvertedIndex', index],
  ]) {
    const start = performance.now()
    hits = await util.semanticSearch(queries, there, ours)
    times[name].push((performance.now() - start) / 1000)
    print({ program: 'ours', figure: name, round, seconds: times[name].at(-1) })
  }
  const peer = new URL('sparse_search_peer.py', import.meta.url).pathname
  const args = [peer, folder, String(DIMENSION), String(TOP_K), String(threads)]
  const answer = JSON.parse(
    execFileSync(options.python, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
  )
  times.python.push(answer.seconds)
  // Scores, since of equal ones another document may come first.
  const far = Math.max(
    ...answer.scores.flatMap((row, q) => row.map((score, i) => Math.abs(score - hits[q][i].score) / score)),
  )
  print({
    program: 'python',
    figure: 'semantic_search',
    round,
    seconds: answer.seconds,
    largestRelativeDifference: far,
  })
}
const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)]
for (const name of ['semanticSearch', 'InvertedIndex'])
  print({ figure: `${name}: times as fast as Python`, ratio: median(times.python) / median(times[name]) })
await rm(folder, { recursive: true })
