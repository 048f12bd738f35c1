// From the start of the process to the first embedding, ours; and the loading of the model alone. The addon is LibTorch, which Python's
// peer imports before the clock starts, too.
import { SentenceTransformer } from 'sentence-torch'
import { loadAddon } from '../../dist/lib/native/load.js'
import { cpuMs, engineFacts, say, trialOptions } from './trial.mjs'

const { model: source, load, started } = trialOptions()
loadAddon()
const [start, cpu] = [performance.now(), cpuMs()]
const model = await SentenceTransformer.load(source, load)
const [loadMs, loadCpuMs] = [performance.now() - start, cpuMs() - cpu]
await model.encode(['How late is it?'])
const readyMs = performance.now() - start
const firstMs = Date.now() - started
await model.dispose()
say({ firstMs, loadMs, loadCpuMs, readyMs, ...(await engineFacts()) })
