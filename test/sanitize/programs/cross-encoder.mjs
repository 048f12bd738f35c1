// Every loss of cross-encoders, and what cross-encoders do: scores, ranks, saves.
import { join } from 'node:path'
import { CrossEncoder, Dataset, crossEncoderLosses as losses } from 'sentence-torch'
import { assert, assertFinite, datasets, loadCrossEncoder, texts, train, work } from '../support.mjs'

const queries = texts(12, 5)
const lists = Dataset.fromColumns({
  query: queries,
  docs: queries.map((_, i) => texts(1 + (i % 5), i)),
  labels: queries.map((_, i) => Array.from({ length: 1 + (i % 5) }, (_, j) => (i + j) % 3)),
})
const margins = Dataset.fromColumns({
  ...Object.fromEntries(['anchor', 'positive', 'negative'].map((name) => [name, datasets.margins.texts(name)])),
  label: Array.from({ length: datasets.margins.length }, (_, i) => (i % 7) - 3),
})
const cases = [
  [new losses.BinaryCrossEntropyLoss({ posWeight: 2 }), datasets.binary],
  [new losses.MSELoss(), datasets.scores],
  [new losses.MultipleNegativesRankingLoss({ numNegatives: 3 }), datasets.triplets],
  [new losses.CachedMultipleNegativesRankingLoss({ miniBatchSize: 3 }), datasets.pairs],
  [new losses.MarginMSELoss(), margins],
  [new losses.LambdaLoss(), lists],
  [new losses.RankNetLoss({ k: 2 }), lists],
  [new losses.ListNetLoss(), lists],
  [new losses.ListMLELoss(), lists],
  [new losses.PListMLELoss({ miniBatchSize: 2 }), lists],
  [new losses.ADRMSELoss(), lists],
]
const pairs = texts(40, 6, 30).map((text, i) => [text, queries[i % queries.length]])
for (const [loss, data] of cases) {
  const model = await loadCrossEncoder()
  await train(model, loss, data)
  assertFinite((await model.predict(pairs)).data, loss.constructor.name)
}
const model = await loadCrossEncoder()
const ranked = await model.rank(queries[0], texts(20, 8))
assert.equal(ranked.length, 20)
const folder = join(work, 'saved')
await model.save(folder)
const again = await CrossEncoder.load(folder)
assert.deepEqual((await again.predict(pairs)).data, (await model.predict(pairs)).data)
