// One encoding trial of ours. One JSON line on stdout, the embeddings as raw float32 in --out.
import { writeFileSync } from 'node:fs'
import { SentenceTransformer } from 'sentence-torch'
import { cpuMs, engineFacts, latencies, say, trialOptions } from './trial.mjs'

const { model: source, columns, batchSize, warmUp, each, load, out } = trialOptions()
const { texts } = columns
const model = await SentenceTransformer.load(source, load)

async function throughput() {
  await model.encode(texts.slice(0, warmUp), { batchSize })
  const [start, cpu] = [performance.now(), cpuMs()]
  const embeddings = await model.encode(texts, { batchSize })
  const [seconds, cpuSeconds] = [(performance.now() - start) / 1000, (cpuMs() - cpu) / 1000]
  if (out) writeFileSync(out, embeddings.data)
  return { perSecond: texts.length / seconds, perCpuSecond: texts.length / cpuSeconds, texts: texts.length, batchSize }
}

const found = each ? await latencies(texts, warmUp, (text) => model.encode([text])) : await throughput()
await model.dispose()
say({ ...found, ...(await engineFacts()) })
