// node examples/workers/main.mjs [model] [workers]
//
// Several worker threads encode. They share one engine, whose threads compute for all of them, so they do not make `encode` faster; but
// reading, splitting and tokenising texts, and what else your program does with them, stays off the main thread and uses other cores.
// Each worker has a model of its own, with its weights.
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { SentenceTransformer, util } from 'sentence-torch'

const texts = ['Order a replacement in the app.', 'We are open from 9 to 5.', 'Rates are set every morning.']
const name = process.argv[2] ?? 'sentence-transformers/all-MiniLM-L6-v2'
const count = Number(process.argv[3] ?? 2)

/** Every text whose place is `first` beyond a multiple of `count`, by one worker. */
async function encodePart(first) {
  const part = texts.filter((_, i) => i % count === first)
  const worker = new Worker(new URL('./worker.mjs', import.meta.url), { workerData: { name, texts: part } })
  // A worker that throws rejects here: `once` listens to the event `error`, too.
  const [rows] = await once(worker, 'message')
  await once(worker, 'exit')
  return rows
}

const parts = await Promise.all(Array.from({ length: count }, (_, first) => encodePart(first)))
const rows = texts.map((_, i) => parts[i % count][Math.floor(i / count)])

const model = await SentenceTransformer.load(name)
const [hits] = await util.semanticSearch(await model.encodeQuery('When are you open?'), rows, { topK: 2 })
for (const { score, corpusId } of hits) console.log(score.toFixed(4), texts[corpusId])
await model.dispose()
