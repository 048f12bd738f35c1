// One encoding trial of transformers.js on onnxruntime-node: its pipeline, mean pooling, normalised. The counterpart of
// encode.mjs. Texts are sorted by length first, as the other programs do: shorter ones are padded less.
import { writeFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { pathToFileURL } from 'node:url'
import { jsPackage } from '../common/peers.mjs'
import { latencies, peakRssMB, say, trialOptions } from './trial.mjs'

const { env, pipeline } = await import(pathToFileURL(jsPackage).href)
const { model: folder, columns, batchSize, warmUp, each, dtype, threads, out } = trialOptions()
const { texts } = columns
env.allowRemoteModels = false
env.localModelPath = `${dirname(folder)}/`
const extract = await pipeline('feature-extraction', basename(folder), {
  dtype: dtype === 'int8' ? 'int8' : 'fp32',
  device: 'cpu',
  ...(threads > 0 && { session_options: { intraOpNumThreads: threads } }),
})
const embed = (batch) => extract(batch, { pooling: 'mean', normalize: true })

async function encode(texts) {
  const order = texts.map((_, i) => i).sort((a, b) => texts[b].length - texts[a].length)
  let all
  for (let first = 0; first < order.length; first += batchSize) {
    const rows = order.slice(first, first + batchSize)
    const { data, dims } = await embed(rows.map((i) => texts[i]))
    all ??= new Float32Array(texts.length * dims[1])
    rows.forEach((row, i) => {
      all.set(data.subarray(i * dims[1], (i + 1) * dims[1]), row * dims[1])
    })
  }
  return all
}

async function throughput() {
  await encode(texts.slice(0, warmUp))
  const start = performance.now()
  const embeddings = await encode(texts)
  const seconds = (performance.now() - start) / 1000
  if (out) writeFileSync(out, embeddings)
  return { perSecond: texts.length / seconds, texts: texts.length, batchSize }
}

const found = each ? await latencies(texts, warmUp, (text) => embed([text])) : await throughput()
say({
  ...found,
  threads: threads || 'its own choice',
  peakRssMB: peakRssMB(),
  versions: { node: process.versions.node, 'transformers.js': env.version },
})
