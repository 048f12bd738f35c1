// `finetune` with several data sets, each with its loss: real rows against shuffled ones.
import anyTest, { type ExecutionContext } from 'ava'
import { Dataset, evaluation, losses, recipes } from '../../lib/index.js'
import { modelKind } from '../../lib/recipes/model-kind.js'
import { RunFolder } from '../../lib/report/run-folder.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { MINILM, runsControls, sharedData, shuffledColumn, stsDev } from '../helpers/shared.js'

const controlled = runsControls ? anyTest : anyTest.skip

async function run(t: ExecutionContext, train: Record<string, Dataset>, tests: evaluation.SequentialEvaluator) {
  return recipes.finetune({
    ...{ model: MINILM, outputDir: await temporaryFolder(t), train, test: tests, seed: 1 },
    loss: { squad: 'MultipleNegativesRankingLoss', sts: 'CoSENTLoss' },
    args: {
      ...{ perDeviceTrainBatchSize: 16, learningRate: 4e-4, maxSteps: 12, saveStrategy: 'no', loggingSteps: 1 },
      multiDatasetBatchSampler: 'round_robin',
    },
  })
}

controlled('pairs and scores together are better at both than when both are shuffled', async (t) => {
  const pairs = (await Dataset.fromFile(sharedData('squad/train-question-sentences.jsonl'))).selectColumns([
    'question',
    'answer_sentence',
  ])
  const squad = pairs.head(160)
  const sts = (await (await Dataset.fromFile(sharedData('stsb/train.tsv'))).shuffle(1)).head(160)
  const held = pairs.select(Array.from({ length: 100 }, (_, i) => -1 - i))
  const ids = (column: string, prefix: string) => new Map(held.texts(column).map((text, i) => [`${prefix}${i}`, text]))
  const retrieval = new evaluation.InformationRetrievalEvaluator({
    ...{ queries: ids('question', 'q'), corpus: ids('answer_sentence', 'd'), name: 'squad' },
    relevantDocs: new Map(held.texts('question').map((_, i) => [`q${i}`, new Set([`d${i}`])])),
  })
  const tests = new evaluation.SequentialEvaluator([await stsDev('sts', 600, 150), retrieval])
  const real = await run(t, { squad, sts }, tests)
  const control = await run(
    t,
    { squad: await shuffledColumn(squad, 'answer_sentence'), sts: await shuffledColumn(sts, 'score') },
    tests,
  )
  for (const name of ['sts_spearman_cosine', 'squad_cosine_ndcg@10']) {
    const [after, other] = [real, control].map(({ metrics }) => metrics.find((one) => one.name === name)!.after)
    t.log(`${name}: ${after}, control ${other}`)
    t.true(after! > other! + 0.03, name)
  }
  const { manifest } = await RunFolder.read(real.folder)
  t.deepEqual(
    manifest.data!.map(({ role, rows }) => [role, rows]),
    [
      ['train', 160],
      ['train', 160],
    ],
  )
})

anyTest('each data set has the sampler that its loss asks for', (t) => {
  const several = { pairs: new losses.MultipleNegativesRankingLoss(), scores: new losses.CoSENTLoss() }
  t.deepEqual(modelKind('embedding').batching(several), {
    batchSampler: { pairs: 'no_duplicates', scores: 'batch_sampler' },
  })
})
