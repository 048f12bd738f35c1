// From the start of the process to the first embedding, ours; and the loading of the model alone.
import { SentenceTransformer } from 'sentence-torch'
import { cpuMs, engineFacts, say, trialOptions } from './trial.mjs'

const { model: source, load, started } = trialOptions()
const [start, cpu] = [performance.now(), cpuMs()]
const model = await SentenceTransformer.load(source, load)
const [loadMs, loadCpuMs] = [performance.now() - start, cpuMs() - cpu]
await model.encode(['How late is it?'])
const readyMs = performance.now() - start
const firstMs = Date.now() - started
await model.dispose()
say({ firstMs, loadMs, loadCpuMs, readyMs, ...(await engineFacts()) })
