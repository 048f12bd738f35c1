// What both sides train: a recipe, its options, and the same rows as columns for Python. Data and model: ../shared.
import {
  ContrastiveTensionDataLoader,
  Dataset,
  DenoisingAutoEncoderDataset,
  evaluation,
  losses,
  recipes,
} from 'sentence-torch'
import { file, squad, squadDev, squadEvaluator } from './squad.mjs'

const MNLI = file('nli/mnli-train-13k.jsonl')

/** What a recipe is measured by, on both sides: the data, our evaluator of them, and the name of the number. */
export const MEASURES = {
  /** STS benchmark, dev split. */
  async sts() {
    const rows = await Dataset.fromFile(file('stsb/dev.tsv'))
    const data = { sentences1: rows.texts('sentence1'), sentences2: rows.texts('sentence2'), scores: rows.labels() }
    const evaluator = new evaluation.EmbeddingSimilarityEvaluator({ ...data, name: 'sts', writeCsv: false })
    return { data, evaluator, metric: 'sts_spearman_cosine' }
  },
  /** Passages of SQuAD, of other articles than those of the training data. */
  async squad() {
    const data = await squadDev(200)
    return { data, evaluator: squadEvaluator(data), metric: 'squad_cosine_ndcg@10' }
  },
}

const columnsOf = (dataset) => Object.fromEntries(dataset.columnNames.map((name) => [name, dataset.column(name)]))
const sts = async () => {
  const rows = await Dataset.fromFile(file('stsb/train.tsv'), { columns: ['sentence1', 'sentence2', 'score'] })
  return { ...columnsOf(rows), score: rows.labels().map((score) => score / 5) }
}

/** Its sentences, each once. */
const sentences = await Dataset.fromFile(file('stsb/train.tsv')).then((rows) =>
  Dataset.fromColumns({ text: [...new Set([...rows.texts('sentence1'), ...rows.texts('sentence2')])] }),
)
const squadPairs = (await squad('train')).pairs

async function pairColumns(loader) {
  const columns = { sentence_0: [], sentence_1: [], label: [] }
  for await (const batch of loader) {
    for (const { texts, label } of batch) {
      columns.sentence_0.push(texts[0])
      columns.sentence_1.push(texts[1])
      columns.label.push(label)
    }
  }
  return columns
}

/**
 * `recipe` and `options` of ours; `loss` with its arguments, and `columns`, what the recipe makes of its data with a seed, for
 * Python; `args` of both. 137 steps of 32 are one pass over the entailed pairs of the MultiNLI sample.
 */
export const CASES = {
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
  // Where the loss has a network of its own, the reference clips the model's gradient without it, and we the whole: nothing is clipped.
  tsdae: {
    recipe: recipes.tsdae,
    options: { train: sentences, noise: 'once' },
    loss: 'DenoisingAutoEncoderLoss',
    ours: () => new losses.DenoisingAutoEncoderLoss(),
    columns: async (seed) => columnsOf(new DenoisingAutoEncoderDataset(sentences.texts('text'), { seed }).toDataset()),
    args: { perDeviceTrainBatchSize: 8, learningRate: 3e-5, maxSteps: 100, maxGradNorm: 0, lrSchedulerType: 'constant' },
    sampler: 'batch_sampler',
    pooling: 'cls',
  },
  simcse: {
    recipe: recipes.simcse,
    options: { train: sentences },
    loss: 'MultipleNegativesRankingLoss',
    columns: async () => ({ anchor: sentences.texts('text'), positive: sentences.texts('text') }),
    args: { perDeviceTrainBatchSize: 64, learningRate: 3e-5, maxSteps: 40 },
    sampler: 'batch_sampler',
  },
  'contrastiveTension-inBatch': {
    recipe: recipes.contrastiveTension,
    options: { train: sentences },
    loss: 'ContrastiveTensionLossInBatchNegatives',
    columns: async () => ({ text: sentences.texts('text') }),
    args: { perDeviceTrainBatchSize: 32, learningRate: 1e-5, maxSteps: 60, maxGradNorm: 0 },
    sampler: 'batch_sampler',
  },
  'contrastiveTension-pairs': {
    recipe: recipes.contrastiveTension,
    options: { train: sentences, form: 'pairs' },
    loss: 'ContrastiveTensionLoss',
    columns: async (seed) => pairColumns(new ContrastiveTensionDataLoader(sentences.texts('text'), 16, 8, { seed })),
    args: { perDeviceTrainBatchSize: 16, learningRate: 1e-5, maxSteps: 100, maxGradNorm: 0 },
    sampler: 'sequential',
  },
  genq: {
    recipe: recipes.genq,
    options: { queries: squadPairs },
    loss: 'MultipleNegativesRankingLoss',
    columns: async () => columnsOf(squadPairs),
    args: { perDeviceTrainBatchSize: 24, learningRate: 4e-5, maxSteps: 25, maxSeqLength: 96 },
    sampler: 'no_duplicates',
    measure: 'squad',
  },
}
