// Signals that stop encoding, searching, mining and training in the middle; what goes on afterwards is right.
import { losses, util } from 'sentence-torch'
import { assert, datasets, loadTiny, mulberry32, texts, train } from '../support.mjs'

const model = await loadTiny()
const many = texts(4000, 1, 30)
const before = (await model.encode(many.slice(0, 9))).data
const aborted = { code: 'ERR_ABORTED' }
for (let i = 0; i < 12; i++) {
  const { signal } = (() => {
    const controller = new AbortController()
    setTimeout(() => controller.abort(), i)
    return controller
  })()
  await assert.rejects(model.encode(many, { signal }), aborted)
}
assert.deepEqual((await model.encode(many.slice(0, 9))).data, before)

const next = mulberry32(1)
const corpus = { data: Float32Array.from({ length: 40_000 * 16 }, () => next() - 0.5), shape: [40_000, 16] }
for (const search of [
  (signal) => util.semanticSearch(corpus, corpus, { signal }),
  (signal) => util.paraphraseMiningEmbeddings(corpus, { signal }),
])
  await assert.rejects(search(AbortSignal.timeout(30)), aborted)

for (let i = 0; i < 5; i++) {
  const loss = new losses.MultipleNegativesRankingLoss()
  const options = { signal: AbortSignal.timeout(40 + 20 * i) }
  await assert.rejects(train(model, loss, datasets.pairs, { maxSteps: 1_000_000 }, options))
  assert.ok((await model.encode(many.slice(0, 9))).data.every(Number.isFinite))
}
