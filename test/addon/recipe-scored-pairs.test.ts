import anyTest, { type ExecutionContext } from 'ava'
import { Dataset, evaluation, recipes } from '../../lib/index.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { hasShared, MINILM, runsControls, sharedData, shuffledColumn, stsDev } from '../helpers/shared.js'

const test = hasShared ? anyTest : anyTest.skip
const controlled = runsControls ? anyTest : anyTest.skip

async function run(t: ExecutionContext, train: Dataset, options: Partial<recipes.ScoredPairsOptions> = {}) {
  const { metrics } = await recipes.scoredPairs({
    ...{ model: MINILM, outputDir: await temporaryFolder(t), train, scale: 5, seed: 1 },
    ...options,
    args: { perDeviceTrainBatchSize: 16, learningRate: 4e-4, maxSteps: 10, saveStrategy: 'no' },
  })
  return metrics[0]!.after
}

for (const loss of runsControls ? (['cosine', 'cosent', 'angle'] as const) : (['cosent'] as const)) {
  test(`${loss}: scores train a better model than shuffled scores`, async (t) => {
    const train = (await (await Dataset.fromFile(sharedData('stsb/train.tsv'))).shuffle(1)).head(160)
    const options = { loss, test: await stsDev('test', 600, 200) }
    const after = await run(t, train, options)
    const control = await run(t, await shuffledColumn(train, 'score'), options)
    t.log(`${after}, control ${control}`)
    t.true(after > control + 0.03)
  })
}

controlled('NLI as scores: what follows from a text gets similar to it, and nothing else', async (t) => {
  const rows = await Dataset.fromFile(sharedData('nli/snli-train-20k.jsonl'))
  const train = rows.head(256)
  const held = rows.select(Array.from({ length: 200 }, (_, i) => -1 - i))
  const evaluator = new evaluation.BinaryClassificationEvaluator({
    sentences1: held.texts('premise'),
    sentences2: held.texts('hypothesis'),
    labels: held.labels()!.map((label) => (label === 0 ? 1 : 0)),
  })
  const options = { labels: 'nli', scale: 1, test: evaluator } as const
  const after = await run(t, train, options)
  const control = await run(t, await shuffledColumn(train, 'label'), options)
  t.log(`${after}, control ${control}`)
  t.true(after > control + 0.03)
})

test('scores beyond the scale are an error that names the row', async (t) => {
  const train = Dataset.fromRows([
    { sentence1: 'a', sentence2: 'b', score: 1 },
    { sentence1: 'a', sentence2: 'c', score: 4.5 },
  ])
  await t.throwsAsync(run(t, train, { scale: 4 }), {
    code: 'ERR_INVALID_DATA',
    message:
      'Expected scores from 0 to 4, found 4.5 in row 1 of those with a label; the option scale takes the largest score',
  })
})
