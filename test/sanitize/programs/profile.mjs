// A profile that begins and ends in the middle of jobs, again and again.
import { engine, losses } from 'sentence-torch'
import { assert, datasets, loadTiny, texts, train } from '../support.mjs'

const model = await loadTiny()
const some = texts(100)
let training = true
const profiles = async () => {
  let parts = 0
  while (training) {
    const profile = engine.profile()
    await model.encode(some)
    await new Promise((resolve) => setTimeout(resolve, 1))
    parts += profile.stop().parts.length
  }
  return parts
}
const beside = profiles()
await train(model, new losses.MultipleNegativesRankingLoss(), datasets.pairs, { maxSteps: 60, logTimings: true })
training = false
assert.ok((await beside) > 0)
