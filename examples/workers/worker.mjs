// A thread of main.mjs: encodes its texts and gives the rows back.
import { parentPort, workerData } from 'node:worker_threads'
import { SentenceTransformer } from 'sentence-torch'

const model = await SentenceTransformer.load(workerData.name)
const embeddings = await model.encodeDocument(workerData.texts)
const rows = workerData.texts.map((_, i) => embeddings.row(i).slice())
// Moved, not copied.
parentPort.postMessage(
  rows,
  rows.map((row) => row.buffer),
)
await model.dispose()
