// From the start of the process to the first embedding, ours; and the loading of the model alone.
import { SentenceTransformer } from 'sentence-torch'
import { engineFacts, say, trialOptions } from './trial.mjs'

const { model: source, load, started } = trialOptions()
const start = performance.now()
const model = await SentenceTransformer.load(source, load)
const loadMs = performance.now() - start
await model.encode(['How late is it?'])
const readyMs = performance.now() - start
const firstMs = Date.now() - started
await model.dispose()
say({ firstMs, loadMs, readyMs, ...(await engineFacts()) })
