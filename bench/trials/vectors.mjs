// What is done with many vectors, a trial of ours: semanticSearch of 1,000 of the rows in all of them, and communityDetection. Rows of
// --width float32 numbers are read from --data. One JSON line on stdout.
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { util } from 'sentence-torch'
import { loadAddon } from '../../dist/lib/native/load.js'
import { engineFacts, say } from './trial.mjs'

const options = ['vectors', 'width', 'queries', 'threshold', 'threads'].map((name) => [name, { type: 'string' }])
// The driver's other options are for other trials.
const { values } = parseArgs({ strict: false, options: Object.fromEntries(options) })
const [width, queries, threshold, threads] = ['width', 'queries', 'threshold', 'threads'].map((name) =>
  Number(values[name]),
)
if (threads > 0) loadAddon().setThreads(threads)
const bytes = readFileSync(values.vectors)
const data = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)
const rows = { data, shape: [data.length / width, width] }
const first = { data: data.subarray(0, queries * width), shape: [queries, width] }

async function timed(work) {
  const start = performance.now()
  const found = await work()
  return [(performance.now() - start) / 1000, found]
}
const [searchSeconds, hits] = await timed(() => util.semanticSearch(first, rows, { topK: 10 }))
const [clusterSeconds, communities] = await timed(() =>
  util.communityDetection(rows, { threshold, minCommunitySize: 3 }),
)
say({
  ...{ searchSeconds, clusterSeconds, communities: communities.length, largest: communities[0]?.length ?? 0 },
  found: hits.filter(([best], i) => best.corpusId === i).length,
  ...(await engineFacts()),
})
