// The recipes with several stages, as cases of run.mjs. What the stages before the last training have made is read from the folder of our
// run, and Python gets it: its rows, or its model.
import { join } from 'node:path'
import { Dataset, recipes } from 'sentence-torch'
import { CASES, columnsOf } from './cases.mjs'
import { file, squad, squadDev } from './squad.mjs'
import { squadTeacher } from './stage-cases.mjs'

const STS = file('stsb/train.tsv')
/** A teacher is trained once, and kept in the folder of runs. */
const TEACHER = 'runs/recipe-stages/gpl-teacher'

/** Rows of the STS benchmark that have a label, each pair once; the others get theirs from a cross-encoder. */
async function gold() {
  const rows = (await Dataset.fromFile(STS, { columns: ['sentence1', 'sentence2', 'score'] })).head(400)
  const second = rows.texts('sentence2')
  const keys = rows.texts('sentence1').map((text, i) => [text, second[i]].sort().join('\n'))
  return rows.select(keys.flatMap((key, i) => (keys.indexOf(key) === i ? [i] : [])))
}

export const STAGE_TWINS = {
  // The first stage is the case `tsdae`; the second one begins with the model that it has made.
  adaptivePretraining: {
    recipe: recipes.adaptivePretraining,
    options: async () => ({
      ...CASES.multipleNegatives.options,
      domain: Dataset.fromColumns({ text: (await gold()).texts('sentence1') }),
      domainArgs: { maxSteps: 20 },
    }),
    loss: 'MultipleNegativesRankingLoss',
    ofRun: async (run) => ({
      model: join(run, 'stages', '1-adapt', 'model'),
      columns: await CASES.multipleNegatives.columns(),
    }),
    log: 'stages/3-pairs-after-domain',
    args: { perDeviceTrainBatchSize: 32, learningRate: 2e-5, maxSteps: 60 },
    sampler: 'no_duplicates',
  },
  augmentedSbert: {
    recipe: recipes.augmentedSbert,
    options: async () => ({
      ...{ train: await gold(), scale: 5, topK: 2, compareGold: false },
      crossEncoderArgs: { numTrainEpochs: 4, learningRate: 1e-4 },
    }),
    loss: 'CosineSimilarityLoss',
    ofRun: async (run) => {
      const rows = await gold()
      const silver = await Dataset.fromFile(join(run, 'stages', '3-silver-labels', 'silver.jsonl'))
      const both = ['sentence1', 'sentence2'].map((name) => [name, [...rows.texts(name), ...silver.texts(name)]])
      const score = [...rows.labels().map((label) => label / 5), ...silver.labels()]
      return { columns: { ...Object.fromEntries(both), score } }
    },
    log: 'stages/4-gold-and-silver',
    args: { perDeviceTrainBatchSize: 16, learningRate: 2e-5, maxSteps: 60 },
    sampler: 'batch_sampler',
  },
  gpl: {
    recipe: recipes.gpl,
    options: async () => ({
      queries: (await squad('train')).pairs.head(1000),
      crossEncoder: await squadTeacher(TEACHER),
      negatives: 1,
    }),
    loss: 'MarginMSELoss',
    ofRun: async (run) => {
      const rows = columnsOf(await Dataset.fromFile(join(run, 'stages', '2-margins', 'margins.jsonl')))
      const { label, ...texts } = rows
      // The largest margin becomes 1, as for all vectors of length 1.
      const largest = Math.max(...label.map(Math.abs))
      return { columns: { ...texts, score: label.map((margin) => margin * (1 / largest)) } }
    },
    retrieval: () => squadDev(200),
    log: 'stages/3-training',
    args: { perDeviceTrainBatchSize: 16, learningRate: 2e-5, maxSteps: 60 },
    sampler: 'batch_sampler',
  },
}
