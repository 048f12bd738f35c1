// Encoding, saving, evaluating and loading beside a training, from callbacks and from outside, with right vectors.
import { join } from 'node:path'
import { losses, SentenceTransformer } from 'sentence-torch'
import { assert, assertFinite, datasets, loadTiny, texts, train, work } from '../support.mjs'

const other = await loadTiny({}, 2)
const some = texts(50, 1, 30)
const expected = (await other.encode(some)).data
for (const gradientCheckpointing of [false, true]) {
  const model = await loadTiny()
  let training = true
  let rounds = 0
  const outside = async () => {
    for (; training; rounds++) {
      assert.deepEqual((await other.encode(some)).data, expected)
      assertFinite((await model.encode(some)).data, 'the model in training')
      await (await loadTiny({}, 3)).dispose()
    }
  }
  const beside = outside()
  const inside = {
    onStepEnd: async ({ state }) => {
      if (state.globalStep % 5 === 0) assertFinite((await model.encode(some)).data, 'in a callback')
    },
  }
  const args = { maxSteps: 40, gradientCheckpointing, miniBatchSize: gradientCheckpointing ? 3 : null }
  const options = { trainer: { callbacks: [inside] } }
  await train(model, new losses.MultipleNegativesRankingLoss(), datasets.triplets, args, options)
  training = false
  await beside
  assert.ok(rounds > 0)
  const folder = join(work, 'saved')
  await model.save(folder)
  const again = await SentenceTransformer.load(folder)
  assert.deepEqual((await again.encode(some)).data, (await model.encode(some)).data)
}
