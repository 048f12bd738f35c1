// mineHardNegatives of ours over questions and passages, embedding them included. One JSON line on stdout.
import { Dataset, SentenceTransformer, util } from 'sentence-torch'
import { engineFacts, say, trialOptions } from './trial.mjs'

const { model: source, columns, batchSize, load } = trialOptions()
const model = await SentenceTransformer.load(source, load)
await model.encode(columns.anchor.slice(0, batchSize))
const start = performance.now()
const mined = await util.mineHardNegatives(Dataset.fromColumns(columns), model, {
  numNegatives: 3,
  batchSize,
  verbose: false,
})
const seconds = (performance.now() - start) / 1000
await model.dispose()
say({ seconds, rows: columns.anchor.length, mined: mined.length, ...(await engineFacts()) })
