// One encoding trial of node-llama-cpp (llama.cpp's prebuilt CPU library): its embedding context, which takes one text after another. Its
// pooling is in the file, and vectors are normalised here. The counterpart of encode.mjs.
import { readFileSync, writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { llamaFolder } from '../common/peers.mjs'
import { latencies, peakRssMB, say, trialOptions } from './trial.mjs'

const { getLlama, LlamaLogLevel } = await import(pathToFileURL(`${llamaFolder}/dist/index.js`).href)
const { model: modelPath, columns, warmUp, each, threads, out } = trialOptions()
const { texts } = columns
const llama = await getLlama({
  gpu: false,
  build: 'never',
  logLevel: LlamaLogLevel.error,
  ...(threads > 0 && { maxThreads: threads }),
})
const model = await llama.loadModel({ modelPath })
const context = await model.createEmbeddingContext({ contextSize: 'auto', ...(threads > 0 && { threads }) })
// all-MiniLM-L6-v2 is cut at 256 tokens.
const LONGEST = 256

async function embed(text) {
  const tokens = model.tokenize(text).slice(0, LONGEST - 2)
  const { vector } = await context.getEmbeddingFor(tokens)
  const norm = Math.hypot(...vector)
  return vector.map((value) => value / norm)
}

async function throughput() {
  for (const text of texts.slice(0, warmUp)) await embed(text)
  const start = performance.now()
  const found = []
  for (const text of texts) found.push(await embed(text))
  const seconds = (performance.now() - start) / 1000
  if (out) writeFileSync(out, new Float32Array(found.flat()))
  return { perSecond: texts.length / seconds, texts: texts.length, batchSize: 1 }
}

const found = each ? await latencies(texts, warmUp, embed) : await throughput()
const { version } = JSON.parse(readFileSync(`${llamaFolder}/package.json`, 'utf8'))
say({
  ...found,
  threads: threads || 'its own choice',
  peakRssMB: peakRssMB(),
  versions: { node: process.versions.node, 'node-llama-cpp': version },
})
process.exit()
