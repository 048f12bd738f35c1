// From the start of the process to the first embedding, ours.
import { SentenceTransformer } from 'sentence-torch'
import { engineFacts, say, trialOptions } from './trial.mjs'

const { model: source, load, started } = trialOptions()
const model = await SentenceTransformer.load(source, load)
await model.encode(['How late is it?'])
const firstMs = Date.now() - started
await model.dispose()
say({ firstMs, ...(await engineFacts()) })
