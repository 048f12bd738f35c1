// What both sides train: a recipe, its options, and the same rows as columns for Python. Data and model: ../shared.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { contrastivePairs, Dataset, losses, recipes } from 'sentence-torch'

const shared = fileURLToPath(new URL('../../../shared/', import.meta.url))
export const MODEL = join(shared, 'models', 'all-MiniLM-L6-v2')
export const file = (path) => join(shared, 'data', path)
const MNLI = file('nli/mnli-train-13k.jsonl')

/** STS benchmark, dev split: columns, and the evaluator of both sides. */
export async function stsDev() {
  const rows = await Dataset.fromFile(file('stsb/dev.tsv'))
  return { sentences1: rows.texts('sentence1'), sentences2: rows.texts('sentence2'), scores: rows.labels() }
}

const columnsOf = (dataset) => Object.fromEntries(dataset.columnNames.map((name) => [name, dataset.column(name)]))
const sts = async () => {
  const rows = await Dataset.fromFile(file('stsb/train.tsv'), { columns: ['sentence1', 'sentence2', 'score'] })
  return { ...columnsOf(rows), score: rows.labels().map((score) => score / 5) }
}

/** Questions with the sentences that answer them, and pairs with scores. */
const pairsAndScores = async () => {
  const squad = await Dataset.fromFile(file('squad/train-question-sentences.jsonl'))
  return { squad: columnsOf(squad.selectColumns(['question', 'answer_sentence'])), sts: await sts() }
}
const SEVERAL = { squad: 'MultipleNegativesRankingLoss', sts: 'CoSENTLoss' }

/**
 * `recipe` and `options` of ours; `loss` with its arguments, and `columns`, what the recipe makes of its data with a seed, for
 * Python; `args` of both. 137 steps of 32 are one pass over the entailed pairs of the MultiNLI sample.
 */
export const CASES = {
  // The first 400 texts of Banking77 are of three intents. SetFit's weight decay is left out, which twin.py does not have.
  fewShot: {
    recipe: recipes.fewShot,
    options: { train: { path: file('banking77/train.jsonl'), limit: 400 } },
    loss: 'CosineSimilarityLoss',
    columns: async (seed) => {
      const rows = (await Dataset.fromFile(file('banking77/train.jsonl'))).head(400)
      const texts = { texts: rows.texts('text'), labels: rows.column('category') }
      return columnsOf(await contrastivePairs(texts, { maxPairs: 137 * 16, seed }))
    },
    args: { perDeviceTrainBatchSize: 16, learningRate: 2e-5, maxSteps: 137, weightDecay: 0 },
    sampler: 'batch_sampler',
  },
  softmax: {
    recipe: recipes.softmax,
    options: { train: MNLI },
    loss: 'SoftmaxLoss',
    ours: () => new losses.SoftmaxLoss({ numLabels: 3 }),
    columns: async () => columnsOf((await recipes.nliRows(await Dataset.fromFile(MNLI))).dataset),
    args: { perDeviceTrainBatchSize: 32, learningRate: 5e-5, maxSteps: 137 },
    sampler: 'batch_sampler',
  },
  multipleNegatives: {
    recipe: recipes.multipleNegatives,
    options: { train: MNLI, negatives: 'none' },
    loss: 'MultipleNegativesRankingLoss',
    columns: async () => {
      const { dataset } = await recipes.nliRows(await Dataset.fromFile(MNLI))
      return columnsOf((await recipes.nliPairs(dataset, { negatives: 'none' })).dataset)
    },
    args: { perDeviceTrainBatchSize: 32, learningRate: 2e-5, maxSteps: 137 },
    sampler: 'no_duplicates',
  },
  ...Object.fromEntries(
    ['round_robin', 'proportional'].map((multi) => [
      `severalDatasets-${multi}`,
      {
        recipe: async (given) => {
          const train = Object.entries(await pairsAndScores()).map(([name, columns]) => [
            name,
            Dataset.fromColumns(columns),
          ])
          return recipes.finetune({ ...given, train: Object.fromEntries(train) })
        },
        ...{ options: { loss: SEVERAL }, loss: SEVERAL, columns: pairsAndScores, sampler: undefined },
        args: { perDeviceTrainBatchSize: 16, learningRate: 2e-5, maxSteps: 30, multiDatasetBatchSampler: multi },
      },
    ]),
  ),
  ...Object.fromEntries(
    Object.entries({ cosine: 'CosineSimilarityLoss', cosent: 'CoSENTLoss', angle: 'AnglELoss' }).map(([name, loss]) => [
      `scoredPairs-${name}`,
      {
        recipe: recipes.scoredPairs,
        options: { train: file('stsb/train.tsv'), scale: 5, loss: name },
        loss,
        columns: sts,
        args: { perDeviceTrainBatchSize: 32, learningRate: 2e-5, maxSteps: 137 },
        sampler: 'batch_sampler',
      },
    ]),
  ),
}
