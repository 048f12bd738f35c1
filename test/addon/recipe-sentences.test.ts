import anyTest, { type ExecutionContext } from 'ava'
import { ContrastiveTensionDataLoader, Dataset, DenoisingAutoEncoderDataset, losses, recipes } from '../../lib/index.js'
import { withClsPooling } from '../../lib/recipes/tsdae.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import {
  controlTraining,
  hasShared,
  MINILM,
  runsControls,
  sharedData,
  shuffledColumn,
  stsDev,
} from '../helpers/shared.js'

const test = hasShared ? anyTest : anyTest.skip
const controlled = runsControls ? anyTest : anyTest.skip

/** Captions and headlines, without their scores. */
async function someSentences(count: number): Promise<Dataset> {
  const rows = (await Dataset.fromFile(sharedData('stsb/train.tsv'))).selectColumns(['sentence1', 'sentence2'])
  return (await rows.shuffle(1)).head(count)
}

const afterOf = ({ metrics }: recipes.RecipeResult) =>
  metrics.find(({ name }) => name === 'test_spearman_cosine')!.after
const common = async (t: ExecutionContext) => ({
  ...{ model: MINILM, outputDir: await temporaryFolder(t), seed: 1, test: await stsDev('test', 600, 200) },
})

controlled('SimCSE: sentences beside themselves train a better model than sentences beside others', async (t) => {
  const train = await someSentences(200)
  const args = { perDeviceTrainBatchSize: 32, learningRate: 2e-4, maxSteps: 10, saveStrategy: 'no' } as const
  const result = await recipes.simcse({ ...(await common(t)), train, args })
  const { sentences } = recipes.sentencesOf(train)
  t.is(result.counts.sentences, sentences.length)
  const pairs = await shuffledColumn(Dataset.fromColumns({ anchor: sentences, positive: sentences }), 'positive')
  const loss = new losses.MultipleNegativesRankingLoss({ scale: 20 })
  const evaluator = await stsDev('test', 600, 200)
  const control = await controlTraining({ trainDataset: pairs, loss, args: { ...args, seed: 1 } }, evaluator)
  t.log(`after ${afterOf(result)}, control ${control}`)
  t.true(afterOf(result) > control + 0.05)
})

controlled('Contrastive Tension: both forms train a better model than shuffled labels', async (t) => {
  const train = await someSentences(400)
  const args = { perDeviceTrainBatchSize: 16, learningRate: 3e-4, maxSteps: 10, saveStrategy: 'no' } as const
  const { sentences } = recipes.sentencesOf(train)
  const loader = new ContrastiveTensionDataLoader(sentences, 16, 2, { seed: 1 })
  const rows: recipes.DataOption = Dataset.fromRows(
    [...(await batchesOf(loader))].flat().map(({ texts, label }) => ({ a: texts[0], b: texts[1], label })),
  )
  const evaluator = await stsDev('test', 600, 200)
  const control = await controlTraining(
    {
      trainDataset: await shuffledColumn(rows, 'label'),
      loss: new losses.ContrastiveTensionLoss(),
      args: { ...args, batchSampler: 'sequential', seed: 1 },
    },
    evaluator,
  )
  for (const form of ['pairs', 'inBatch'] as const) {
    const after = afterOf(await recipes.contrastiveTension({ ...(await common(t)), train, args, form, posNegRatio: 2 }))
    t.log(`${form} ${after}, control ${control}`)
    t.true(after > control + 0.03, form)
  }
})

async function batchesOf(loader: ContrastiveTensionDataLoader) {
  const batches: { texts: readonly string[]; label?: unknown }[][] = []
  for await (const batch of loader) batches.push([...batch])
  return batches
}

test('TSDAE: sentences beside their own noise train a better model than beside that of others', async (t) => {
  const train = await someSentences(200)
  const args = { perDeviceTrainBatchSize: 8, learningRate: 1e-4, maxSteps: 40, saveStrategy: 'no' } as const
  const result = await recipes.tsdae({ ...(await common(t)), train, args, noise: 'once' })
  const { sentences } = recipes.sentencesOf(train)
  const noisy = new DenoisingAutoEncoderDataset(sentences, { seed: 1 }).toDataset()
  const control = await controlTraining(
    {
      trainDataset: await shuffledColumn(noisy, 'sentence_1'),
      loss: new losses.DenoisingAutoEncoderLoss(),
      args: { ...args, lrSchedulerType: 'constant', seed: 1 },
    },
    await stsDev('test', 600, 200),
    () => withClsPooling(MINILM),
  )
  t.log(`before ${result.metrics[0]!.before}, after ${afterOf(result)}, control ${control}`)
  t.true(afterOf(result) > control + 0.02)
})
