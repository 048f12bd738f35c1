// One tokenising trial of transformers.js: batches of 32, cut and padded as its pipeline does. The counterpart of tokenize.mjs.
import { basename, dirname } from 'node:path'
import { pathToFileURL } from 'node:url'
import { jsPackage } from '../common/peers.mjs'
import { peakRssMB, say, trialOptions } from './trial.mjs'

const { AutoTokenizer, env } = await import(pathToFileURL(jsPackage).href)
const { model: folder, columns, warmUp, batchSize } = trialOptions()
const { texts } = columns
env.allowRemoteModels = false
env.localModelPath = `${dirname(folder)}/`
const tokenizer = await AutoTokenizer.from_pretrained(basename(folder))
function tokenize(texts) {
  for (let i = 0; i < texts.length; i += batchSize)
    tokenizer(texts.slice(i, i + batchSize), { padding: true, truncation: true })
}

tokenize(texts.slice(0, warmUp))
const start = performance.now()
tokenize(texts)
const seconds = (performance.now() - start) / 1000
say({
  ...{ perSecond: texts.length / seconds, texts: texts.length, threads: 1, peakRssMB: peakRssMB() },
  versions: { node: process.versions.node, 'transformers.js': env.version },
})
