import anyTest, { type ExecutionContext } from 'ava'
import { Dataset, recipes, SentenceTransformer } from '../../lib/index.js'
import { RunFolder } from '../../lib/report/run-folder.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { hasShared, MINILM, sharedData, shuffledColumn, stsDev } from '../helpers/shared.js'

const test = hasShared ? anyTest : anyTest.skip

async function run(t: ExecutionContext, train: Dataset, options: Partial<recipes.MultipleNegativesOptions> = {}) {
  return recipes.multipleNegatives({
    ...{ model: MINILM, outputDir: await temporaryFolder(t), train, seed: 1 },
    test: await stsDev('test', 600, 200),
    ...options,
    args: {
      maxSteps: 12,
      saveStrategy: 'no',
      perDeviceTrainBatchSize: 16,
      learningRate: 3e-4,
      loggingSteps: 6,
      ...options.args,
    },
  })
}

test('entailed pairs train a better model than the same texts in shuffled pairs', async (t) => {
  const rows = await Dataset.fromFile(sharedData('nli/snli-train-20k.jsonl'))
  const train = rows.head(1500)
  const { metrics, counts, folder, model } = await run(t, train, { negatives: 'soft' })
  const control = await run(t, await shuffledColumn(train, 'hypothesis'), { negatives: 'soft' })
  const [found] = metrics
  t.is(found!.name, 'test_spearman_cosine')
  t.is(found!.before, control.metrics[0]!.before)
  t.log(`before ${found!.before}, after ${found!.after}, control ${control.metrics[0]!.after}`)
  t.true(found!.after > control.metrics[0]!.after + 0.01)
  t.true(counts.pairs! > 300)

  // The folder says what happened, and the model in it is the one that was measured.
  const { manifest, result, logs } = await RunFolder.read(folder)
  t.is(manifest.state, 'finished')
  t.is(manifest.recipe, 'multipleNegatives')
  t.is(manifest.data![0]!.rows, 1500)
  t.deepEqual(result!.metrics, metrics)
  t.is(logs[0]!.records.filter(({ loss }) => loss !== undefined).length, 2)
  const saved = await SentenceTransformer.load(model)
  const again = await (await stsDev('test', 600, 200)).evaluate(saved)
  t.true(Math.abs(again.metrics[again.primaryMetric]! - found!.after) < 1e-6)
  await saved.dispose()
})
