// Two models in training at once, a third that encodes all the while: each as it would be alone.
import { losses } from 'sentence-torch'
import { assert, datasets, loadTiny, texts, train } from '../support.mjs'

const some = texts(20, 2)
const run = async (seed, loss, data) => {
  const model = await loadTiny({}, seed)
  const { losses } = await train(model, loss, data, { maxSteps: 20 })
  return [losses, [...(await model.encode(some)).data]]
}
const one = () => run(1, new losses.MultipleNegativesRankingLoss(), datasets.triplets)
const two = () => run(2, new losses.CoSENTLoss(), datasets.scores)
const alone = [await one(), await two()]
const third = await loadTiny({}, 3)
const expected = (await third.encode(some)).data
const encode = async () => {
  for (let i = 0; i < 100; i++) assert.deepEqual((await third.encode(some)).data, expected)
}
const [a, b] = await Promise.all([one(), two(), encode()])
assert.deepEqual([a, b], alone)
