// node bench/learner.mjs [--pairs 200] [--seeds 1,2,3] [--results FILE]
//
// Queries learn from feedback while they are answered, and documents keep their vectors: all-MiniLM-L6-v2 on Cranfield (../shared). The
// feedback is 200 relevant pairs of every other query; NDCG@10 is that of the other queries, of which no feedback tells. Meanwhile a
// client asks for a query every 50 ms over HTTP. Printed: NDCG before and after with the paired-bootstrap interval, seconds from the
// request to learn until the new version serves, latency of queries, and whether the documents' vectors are the same bytes.
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { evaluation, SentenceTransformer } from 'sentence-torch'
import { Learner, ServedModel, serve } from 'sentence-torch/serve'
import { cpuModel } from '../install/system.mjs'

const { values: options } = parseArgs({
  options: {
    pairs: { type: 'string', default: '200' },
    seeds: { type: 'string', default: '1,2,3' },
    results: { type: 'string' },
  },
})
const shared = fileURLToPath(new URL('../../shared/', import.meta.url))
const model = join(shared, 'models/all-MiniLM-L6-v2')
const lines = (file) =>
  readFileSync(join(shared, 'data/cranfield', file), 'utf8')
    .trim()
    .split('\n')
const objects = (file) => lines(file).map((line) => JSON.parse(line))

const corpus = new Map(
  objects('corpus.jsonl')
    .map(({ _id, text }) => [_id, text])
    .filter(([, text]) => text.trim()),
)
const queries = new Map(objects('queries.jsonl').map(({ _id, text }) => [_id, text]))
const relevant = new Map([...queries.keys()].map((id) => [id, new Set()]))
for (const line of lines('qrels/test.tsv').slice(1)) {
  const [query, document, score] = line.split('\t')
  if (Number(score) > 0 && corpus.has(document)) relevant.get(query)?.add(document)
}
const ids = [...queries.keys()].filter((id) => relevant.get(id).size > 0)
const taught = ids.filter((_, i) => i % 2 === 0)
const held = ids.filter((_, i) => i % 2 === 1)

/** Pairs in an order that the seed decides: of every query one after the other. */
function feedback(seed) {
  const order = (text) => createHash('sha256').update(`${seed} ${text}`).digest('hex')
  const all = taught.flatMap((id) => [...relevant.get(id)].map((document) => ({ id, document })))
  return all
    .sort((a, b) => (order(`${a.id} ${a.document}`) < order(`${b.id} ${b.document}`) ? -1 : 1))
    .slice(0, Number(options.pairs))
    .map(({ id, document }) => ({ query: queries.get(id), positive: corpus.get(document) }))
}

const quantile = (values, share) => values.sort((a, b) => a - b)[Math.ceil(share * values.length) - 1]

async function run(seed) {
  const folder = mkdtempSync(join(tmpdir(), 'learner-'))
  const documents = await SentenceTransformer.load(model)
  const first = await SentenceTransformer.load(model)
  const served = new ServedModel(first)
  const texts = [...corpus.values()]
  const before = await documents.encodeDocument(texts)
  const evaluator = new evaluation.InformationRetrievalEvaluator({
    queries: Object.fromEntries(held.map((id) => [id, queries.get(id)])),
    corpus: Object.fromEntries(corpus),
    relevantDocs: Object.fromEntries(held.map((id) => [id, [...relevant.get(id)]])),
  })
  const learner = await Learner.start({
    ...{ served, folder, evaluator, documents, corpus: texts, every: 0, swap: 'measurably better' },
    args: { seed },
  })
  const server = await serve({ models: { queries: served, documents }, learners: { queries: learner }, port: 0 })
  const post = (path, body) =>
    fetch(server.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  await post('/feedback', { pairs: feedback(seed) })
  const latencies = []
  let ended = false
  const asking = (async () => {
    for (let i = 0; !ended; i++) {
      const start = performance.now()
      await (await post('/embed', { inputs: queries.get(ids[i % ids.length]), model: 'queries' })).json()
      latencies.push(performance.now() - start)
      await wait(Math.max(0, 50 - latencies.at(-1)))
    }
  })()
  await wait(1000)
  const calm = latencies.length
  const start = performance.now()
  const round = await learner.learn()
  const seconds = (performance.now() - start) / 1000
  ended = true
  await asking
  const after = await documents.encodeDocument(texts)
  const result = {
    ...{ seed, ...round, seconds: Math.round(seconds * 10) / 10 },
    queriesHeldOut: held.length,
    latency: {
      queries: latencies.length - calm,
      p50: quantile(latencies.slice(calm), 0.5),
      p99: quantile(latencies.slice(calm), 0.99),
      p50Before: quantile(latencies.slice(0, calm), 0.5),
    },
    documentsSame: Buffer.compare(Buffer.from(before.data.buffer), Buffer.from(after.data.buffer)) === 0,
  }
  await server.close()
  await learner.dispose()
  for (const each of [documents, first]) await each.dispose()
  rmSync(folder, { recursive: true, force: true })
  return result
}

const runs = []
for (const seed of options.seeds.split(',').map(Number)) {
  runs.push(await run(seed))
  console.error(JSON.stringify(runs.at(-1)))
}
const result = { processor: cpuModel(), node: process.versions.node, pairs: Number(options.pairs), runs }
console.log(JSON.stringify(result, null, 2))
if (options.results) writeFileSync(options.results, `${JSON.stringify(result, null, 2)}\n`)
