// How InformationRetrievalEvaluator searches a large corpus: random vectors in place of a model, embedded chunk by chunk, so
// that what is measured is the search, the ranking and the memory. One JSON line on stdout.
//
//   node bench/trials/ir.mjs [--documents 1000000] [--queries 1000] [--width 384] [--chunk 50000] [--threads 0] [--gemm RATE]
//
// The floor is the matrix product alone, 2 · documents · queries · width operations, at --gemm billions of them a second of
// processor time (ir_peer.py --gemm-only measures that).
import { parseArgs } from 'node:util'
import { evaluation } from 'sentence-torch'
import { loadAddon } from '../../dist/lib/native/load.js'
import { engineFacts } from './trial.mjs'

const number = (value) => ({ type: 'string', default: String(value) })
const { values } = parseArgs({
  // The driver's other options are for other trials.
  strict: false,
  options: {
    documents: number(1_000_000),
    queries: number(1000),
    width: number(384),
    chunk: number(50_000),
    threads: number(0),
    gemm: number(0),
  },
})
const [documents, queries, width, chunk, threads, gemm] = [
  ...['documents', 'queries', 'width', 'chunk', 'threads', 'gemm'],
].map((name) => Number(values[name]))
if (threads > 0) loadAddon().setThreads(threads)

let made = { seconds: 0, cpu: 0 }
const cpuSeconds = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

/** Rows of random numbers in [-1, 1), one seed for each kind of text. */
async function encode(texts, seed) {
  const [start, cpu] = [performance.now(), cpuSeconds()]
  const data = new Float32Array(texts.length * width)
  let state = (seed + Number(texts[0])) | 1
  for (let i = 0; i < data.length; i++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    data[i] = state / 2 ** 31
    if (i % 2 ** 20 === 0) await new Promise(setImmediate)
  }
  made = {
    seconds: made.seconds + (performance.now() - start) / 1000,
    cpu: made.cpu + cpuSeconds() - cpu,
  }
  return { data, shape: [texts.length, width], row: (i) => data.subarray(i * width, (i + 1) * width) }
}
const model = {
  similarityFnName: 'cosine',
  encodeQuery: (texts) => encode(texts, 1),
  encodeDocument: (texts) => encode(texts, 1_000_003),
}

const id = (i) => String(i).padStart(8, '0')
const corpus = new Map(Array.from({ length: documents }, (_, i) => [id(i), String(i)]))
const wanted = new Map(Array.from({ length: queries }, (_, i) => [id(i), String(i)]))
const relevantDocs = new Map(Array.from({ length: queries }, (_, i) => [id(i), [id((i * 997) % documents)]]))
const evaluator = new evaluation.InformationRetrievalEvaluator({
  ...{ queries: wanted, corpus, relevantDocs },
  corpusChunkSize: chunk,
})

const [start, cpu] = [performance.now(), cpuSeconds()]
const { metrics } = await evaluator.evaluate(model)
const [seconds, cpuTotal] = [(performance.now() - start) / 1000, cpuSeconds() - cpu]
const operations = 2 * documents * queries * width
console.log(
  JSON.stringify({
    theme: 'ir',
    program: 'sentence-torch',
    ...{ documents, queries, width, chunk },
    searchSeconds: seconds - made.seconds,
    searchCpuSeconds: cpuTotal - made.cpu,
    embeddingSeconds: made.seconds,
    teraOperations: operations / 1e12,
    ...(gemm > 0 && { gemmGigaPerCpuSecond: gemm, floorCpuSeconds: operations / (gemm * 1e9) }),
    recallAt10: metrics['cosine_recall@10'],
    corpusMB: Math.round((documents * width * 4) / 2 ** 20),
    ...(await engineFacts()),
  }),
)
