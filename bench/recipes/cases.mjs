// What both sides train: a recipe, its options, and the same rows as columns for Python. Data and model: ../shared.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  ContrastiveTensionDataLoader,
  contrastivePairs,
  Dataset,
  DenoisingAutoEncoderDataset,
  losses,
  recipes,
} from 'sentence-torch'
import { file, MODEL } from './squad.mjs'

const MNLI = file('nli/mnli-train-13k.jsonl')
const STS = file('stsb/train.tsv')
const MATRYOSHKA = [384, 256, 128, 64, 32]

/** STS benchmark, dev split: columns, and the evaluator of both sides. */
export async function stsDev() {
  const rows = await Dataset.fromFile(file('stsb/dev.tsv'))
  return { sentences1: rows.texts('sentence1'), sentences2: rows.texts('sentence2'), scores: rows.labels() }
}

export const columnsOf = (dataset) =>
  Object.fromEntries(dataset.columnNames.map((name) => [name, dataset.column(name)]))
const sts = async () => {
  const rows = await Dataset.fromFile(file('stsb/train.tsv'), { columns: ['sentence1', 'sentence2', 'score'] })
  return { ...columnsOf(rows), score: rows.labels().map((score) => score / 5) }
}

/** Sentences of the STS benchmark's train split, each once, as a recipe finds them: as many as 100 steps of 32 take. */
async function stsSentences() {
  const { sentences } = recipes.sentencesOf(await Dataset.fromFile(STS, { columns: ['sentence1', 'sentence2'] }))
  return sentences.slice(0, 3200)
}

const shuffledSentences = async (seed) =>
  (await Dataset.fromColumns({ text: await stsSentences() }).shuffle(seed)).texts('text')
const sentences = async () => Dataset.fromColumns({ text: await stsSentences() })

/** The pairs of an epoch, in their order. */
async function tensionPairs(seed) {
  const pairs = []
  for await (const batch of new ContrastiveTensionDataLoader(await stsSentences(), 16, 8, { seed })) {
    for (const { texts, label } of batch) pairs.push({ sentence_0: texts[0], sentence_1: texts[1], label })
  }
  return columnsOf(Dataset.fromRows(pairs))
}

/** Questions, the sentence that answers each, and that of another one. */
async function squadTriplets() {
  const rows = (await Dataset.fromFile(file('squad/train-question-sentences.jsonl'))).head(3200)
  const positive = rows.texts('answer_sentence')
  const negative = positive.map((_, i) => positive[(i + 7) % positive.length])
  return { query: rows.texts('question'), positive, negative }
}

/**
 * A made-up language: each of the most frequent words is a letter of a foreign script that the model's vocabulary has, and the other
 * words stay. There are no translations among the data.
 */
async function cipher() {
  const vocabulary = (await readFile(join(MODEL, 'vocab.txt'), 'utf8')).split('\n')
  const isForeign = (entry) => /^[^\p{ASCII}\p{Script=Latin}]$/u.test(entry) && /^\p{L}$/u.test(entry.normalize('NFD'))
  const letters = vocabulary.filter(isForeign)
  const counts = new Map()
  for (const text of await stsSentences())
    for (const [word] of text.toLowerCase().matchAll(WORD)) counts.set(word, (counts.get(word) ?? 0) + 1)
  const words = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, letters.length)
  const letterOf = new Map(words.map(([word], i) => [word, letters[i]]))
  return (text) => text.toLowerCase().replaceAll(WORD, (word) => letterOf.get(word) ?? word)
}
const WORD = /[a-z']+/g

async function parallel() {
  const [texts, translate] = [await stsSentences(), await cipher()]
  return { source: texts, translation: texts.map(translate) }
}

const threeLayers = { keepLayers: [0, 2, 4], teacher: MODEL }
const distillation = (loss, pythonLoss, pythonArguments, data, more = {}) => ({
  recipe: recipes.distillation,
  options: async () => ({ ...threeLayers, loss, train: Dataset.fromColumns(await data()), ...more }),
  loss: pythonLoss,
  python: { ...threeLayers, arguments: pythonArguments },
  columns: data,
  log: 'stages/3-training',
  args: { perDeviceTrainBatchSize: 32, learningRate: 1e-4, maxSteps: 100 },
  sampler: 'batch_sampler',
})
const sentenceColumn = async () => ({ text: await stsSentences() })

/** Questions with the sentences that answer them, and pairs with scores. */
const pairsAndScores = async () => {
  const squad = await Dataset.fromFile(file('squad/train-question-sentences.jsonl'))
  return { squad: columnsOf(squad.selectColumns(['question', 'answer_sentence'])), sts: await sts() }
}
const SEVERAL = { squad: 'MultipleNegativesRankingLoss', sts: 'CoSENTLoss' }

/**
 * `recipe` and `options` of ours; `loss` with its arguments, and `columns`, what the recipe makes of its data with a seed, for
 * Python; `args` of both. `python` has what the twin is told beside, `log` the folder of the training's log, `sts` other data for the
 * metric. 137 steps of 32 are one pass over the entailed pairs of the MultiNLI sample.
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
  // Where the loss has a network of its own, the reference clips the gradient of the model alone, and we all of it: nothing is clipped.
  tsdae: {
    recipe: recipes.tsdae,
    options: async () => ({ train: await sentences(), noise: 'once' }),
    loss: 'DenoisingAutoEncoderLoss',
    ours: () => new losses.DenoisingAutoEncoderLoss(),
    python: { pooling: 'cls', maxGradNorm: 0, scheduler: 'constant' },
    columns: async (seed) => columnsOf(new DenoisingAutoEncoderDataset(await stsSentences(), { seed }).toDataset()),
    args: { perDeviceTrainBatchSize: 8, learningRate: 3e-5, maxSteps: 100, maxGradNorm: 0 },
    sampler: 'batch_sampler',
  },
  // In one order for both: an early batch with two texts that mean the same has a loss a thousand times that of others, and how far
  // AdamW goes afterwards depends on it more than on anything else.
  simcse: {
    recipe: recipes.simcse,
    options: async (seed) => ({ train: Dataset.fromColumns({ text: await shuffledSentences(seed) }) }),
    loss: 'MultipleNegativesRankingLoss',
    columns: async (seed) => ({ anchor: await shuffledSentences(seed), positive: await shuffledSentences(seed) }),
    args: { perDeviceTrainBatchSize: 32, learningRate: 3e-5, maxSteps: 60 },
    sampler: 'sequential',
  },
  'contrastiveTension-inBatch': {
    recipe: recipes.contrastiveTension,
    options: async () => ({ train: await sentences() }),
    loss: 'ContrastiveTensionLossInBatchNegatives',
    python: { maxGradNorm: 0 },
    columns: async () => ({ text: await stsSentences() }),
    args: { perDeviceTrainBatchSize: 32, learningRate: 1e-5, maxSteps: 60, maxGradNorm: 0 },
    sampler: 'batch_sampler',
  },
  'contrastiveTension-pairs': {
    recipe: recipes.contrastiveTension,
    options: async () => ({ train: await sentences(), form: 'pairs' }),
    loss: 'ContrastiveTensionLoss',
    python: { maxGradNorm: 0 },
    columns: tensionPairs,
    args: { perDeviceTrainBatchSize: 16, learningRate: 1e-5, maxSteps: 100, maxGradNorm: 0 },
    sampler: 'sequential',
  },
  'distillation-mse': distillation('mse', 'MSELoss', {}, sentenceColumn),
  'distillation-cosine': distillation('cosine', 'EmbedDistillLoss', { distance_metric: 'cosine' }, sentenceColumn),
  'distillation-kl': distillation('kl', 'DistillKLDivLoss', { temperature: 0.05 }, squadTriplets, {
    temperature: 0.05,
  }),
  multilingual: {
    recipe: recipes.multilingual,
    options: async () => ({ teacher: MODEL, holdOut: 0, train: Dataset.fromColumns(await parallel()) }),
    loss: 'MSELoss',
    python: { teacher: MODEL },
    columns: parallel,
    // English on one side, the made-up language on the other.
    sts: async () => {
      const [dev, translate] = [await stsDev(), await cipher()]
      return { ...dev, sentences2: dev.sentences2.map(translate) }
    },
    log: 'stages/2-training',
    args: { perDeviceTrainBatchSize: 32, learningRate: 1e-4, maxSteps: 100 },
    sampler: 'batch_sampler',
  },
  matryoshka: {
    recipe: recipes.matryoshka,
    options: async () => ({
      ...{ train: Dataset.fromColumns(await sts()), loss: 'CosineSimilarityLoss' },
      ...{ compare: false, dims: MATRYOSHKA, precisions: ['float32'] },
    }),
    loss: 'MatryoshkaLoss',
    python: { inner: 'CosineSimilarityLoss', arguments: { matryoshka_dims: MATRYOSHKA } },
    columns: sts,
    // The shortest embeddings.
    sts: async () => ({ ...(await stsDev()), truncateDim: MATRYOSHKA.at(-1) }),
    log: 'stages/1-all-widths',
    args: { perDeviceTrainBatchSize: 32, learningRate: 2e-5, maxSteps: 100 },
    sampler: 'batch_sampler',
  },
}
