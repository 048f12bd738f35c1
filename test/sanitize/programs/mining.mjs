// Paraphrases, communities and hard negatives.
import { util } from 'sentence-torch'
import { assert, datasets, loadCrossEncoder, loadTiny, texts } from '../support.mjs'

const model = await loadTiny()
const crossEncoder = await loadCrossEncoder()
const some = texts(200, 4)
const pairs = await util.paraphraseMining(model, some, { topK: 20, queryChunkSize: 31, corpusChunkSize: 17 })
assert.ok(pairs.length > 100 && pairs.every(([score, a, b]) => Number.isFinite(score) && a < b))
const rows = await model.encode(some)
for (const batchSize of [7, 1024]) {
  const groups = await util.communityDetection(rows, { threshold: 0.5, minCommunitySize: 2, batchSize })
  assert.ok(groups.flat().every((row) => row < some.length))
}
for (const options of [
  { numNegatives: 2, corpus: some },
  { numNegatives: 3, rangeMax: 20, outputFormat: 'n-tuple' },
  { numNegatives: 1, absoluteMargin: -2, crossEncoder, outputFormat: 'labeled-list' },
  { numNegatives: 2, samplingStrategy: 'random', rangeMax: 9, outputScores: true },
]) {
  const mined = await util.mineHardNegatives(datasets.pairs, model, { verbose: false, ...options })
  assert.ok(mined.length > 0)
}
