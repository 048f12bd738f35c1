import anyTest, { type ExecutionContext } from 'ava'
import { Dataset, recipes } from '../../lib/index.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { hasShared, MINILM, sharedData, shuffledColumn } from '../helpers/shared.js'

const test = hasShared ? anyTest : anyTest.skip

test('the classifier is better on held-out NLI than one of shuffled labels', async (t) => {
  const rows = await Dataset.fromFile(sharedData('nli/snli-train-20k.jsonl'))
  const train = rows.head(1600)
  const testNli = rows.select(Array.from({ length: 300 }, (_, i) => -1 - i))
  const run = async (t: ExecutionContext, train: Dataset) =>
    recipes.softmax({
      ...{ model: MINILM, outputDir: await temporaryFolder(t), train, testNli, seed: 1 },
      args: { perDeviceTrainBatchSize: 32, learningRate: 3e-4, maxSteps: 40, saveStrategy: 'no' },
    })
  const found = await run(t, train)
  const control = await run(t, await shuffledColumn(train, 'label'))
  const [accuracy, chance] = [found, control].map(({ metrics }) => metrics.find(({ name }) => name === 'nli_accuracy')!)
  t.log(`classes ${accuracy!.before}, after ${accuracy!.after}, control ${chance!.after}`)
  t.true(accuracy!.after > chance!.after + 0.08)
  t.true(accuracy!.after > accuracy!.before + 0.08)
  t.is(found.counts.rows, 1600)
})
