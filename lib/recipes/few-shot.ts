import { FEW_SHOT_ARGUMENTS, TextClassifier, trainingPairs } from '../classification/text-classifier.js'
import { Dataset } from '../data/dataset.js'
import { isDataset } from '../data/feed.js'
import { Random } from '../data/random.js'
import type { Column } from '../data/table.js'
import { type ClassificationData, classesOf, classNumbers } from '../evaluation/class-labels.js'
import { namedTexts } from '../evaluation/labelled-texts.js'
import { TextClassificationEvaluator } from '../evaluation/text-classification.js'
import { signalOf } from '../io/abort.js'
import { CosineSimilarityLoss } from '../losses/cosine-similarity.js'
import { choice, integer, needed, optionValues, positive } from '../options/kinds.js'
import { SentenceTransformerTrainer } from '../training/index.js'
import { loadData } from './load-data.js'
import {
  COMMON,
  type DataOption,
  data,
  described,
  type Recipe,
  type RecipeContext,
  type RecipeOptions,
  type RecipeResult,
  type RecipeTable,
} from './recipe.js'
import { runRecipe } from './run-recipe.js'

export interface FewShotOptions extends RecipeOptions {
  /** Texts and the class of each: a column of texts, and `label`, or the other one of two columns. */
  train: DataOption
  /** Takes this many texts of each class, at random, and leaves the others out. Default: all. */
  samplesPerLabel?: number
  /** Such rows, which measure the classifier during training. */
  devTexts?: DataOption
  /** Such rows, which measure the classifier before and after training. */
  testTexts?: DataOption
  /** How many pairs of texts of one class, and of two, are taken. Default `oversampling`. */
  sampling?: 'oversampling' | 'undersampling' | 'unique'
  /** Takes this many pairs of either kind for each text, whatever `sampling` says. Default: none. */
  numIterations?: number
  /** Inverse strength of the L2 penalty of the logistic regression. Default 1. */
  c?: number
}

const OPTIONS = {
  ...COMMON,
  train: described(needed(data(undefined)), 'Texts and their classes: `text`, `label`, or the only two columns'),
  samplesPerLabel: described(
    integer(undefined, { least: 1 }),
    'Takes this many texts of each class, at random, and leaves the others out',
  ),
  devTexts: described(data(undefined), 'Such rows, which measure the classifier during training'),
  testTexts: described(data(undefined), 'Such rows, which measure the classifier before and after training'),
  sampling: described(
    choice(['oversampling', 'undersampling', 'unique'], 'oversampling'),
    'Pairs of one class and of two: the fewer ones repeated, the surplus left out, or each once',
  ),
  numIterations: described(
    integer(undefined, { least: 1 }),
    'Takes this many pairs of either kind for each text, whatever `sampling` says',
  ),
  c: described(positive(1), 'Inverse strength of the L2 penalty of the logistic regression'),
} satisfies RecipeTable<FewShotOptions>

/**
 * A classifier of texts from few examples (SetFit): the model learns from pairs of them which belong to one class, and a logistic
 * regression over its embeddings tells the classes. It is saved beside the model, and `TextClassifier.load` loads both.
 *
 * Paper: Tunstall et al. 2022, https://arxiv.org/abs/2209.11055.
 */
export async function fewShot(options: FewShotOptions, context: RecipeContext = {}): Promise<RecipeResult> {
  const given = optionValues('fewShot', options, OPTIONS)
  const all = await readTexts(given.train!, 'train', context)
  const train = sample(all.data, given.samplesPerLabel, given.seed)
  classesOf(train.labels, 'train')
  const evaluators: { dev?: TextClassificationEvaluator; test?: TextClassificationEvaluator } = {}
  const held: { source: string; data: ClassificationData; role: 'dev' | 'test' }[] = []
  for (const role of ['dev', 'test'] as const) {
    const rows = given[`${role}Texts`]
    if (rows === undefined) continue
    const { source, data } = await readTexts(rows, `${role}Texts`, context)
    held.push({ source, data, role })
    evaluators[role] = new TextClassificationEvaluator({ train, test: data, c: given.c, name: role })
  }
  const written = { config: { recipe: 'fewShot', ...options }, ...context }
  return runRecipe('fewShot', { ...given, ...evaluators }, written, async (run) => {
    // 1. Data: some texts of each class, and pairs of them: of one class (1), or of two (0).
    await run.data(rowsOf(train), 'train', all.source)
    for (const { role, source, data } of held) await run.data(rowsOf(data), role, source)
    const { sampling, numIterations, c } = given
    const pairing = { sampling, ...(numIterations !== undefined && { numIterations }), seed: run.seed }
    const pairs = await trainingPairs(train, pairing, given.args)
    run.count('texts', train.texts.length)
    run.count('textsLeftOut', all.data.texts.length - train.texts.length)
    run.count('classes', new Set(train.labels).size)
    run.count('pairs', pairs.length)

    // 2. The model and its trainer, which checks all arguments before anything is measured: the cosine of a pair becomes 1 or 0.
    const model = await run.loadModel()
    const trainer = new SentenceTransformerTrainer({
      model,
      trainDataset: pairs,
      loss: new CosineSimilarityLoss(),
      ...run.training(FEW_SHOT_ARGUMENTS),
    })

    // 3. Training, after the model was measured with a classifier over its embeddings: what the examples are worth without training it.
    await run.before(model)
    await run.train(trainer)

    // 4. The model as it has become, and the classifier beside it.
    await run.after(model)
    const classifier = await TextClassifier.create(model, { c })
    await classifier.fitHead(train, signalOf(run))
    await classifier.saveHead(`${run.folder}/model`)
  })
}

async function readTexts(
  given: DataOption,
  where: string,
  { signal }: RecipeContext,
): Promise<{ data: ClassificationData; source: string }> {
  const { dataset, source } = await loadData(given, { where, textLabels: true, signal })
  return { data: namedTexts(dataset, isDataset(given as Dataset) ? where : source), source }
}

/** The first `count` texts of each class in a random order. */
function sample({ texts, labels }: ClassificationData, count: number | undefined, seed: number): ClassificationData {
  if (count === undefined) return { texts, labels }
  const taken = new Map<string | number, number>()
  const rows = new Random(seed).shuffle(texts.map((_, row) => row)).filter((row) => {
    const before = taken.get(labels[row]!) ?? 0
    taken.set(labels[row]!, before + 1)
    return before < count
  })
  return { texts: rows.map((row) => texts[row]!), labels: rows.map((row) => labels[row]!) }
}

/** Rows for the run's record and figures, which know classes by their numbers. */
function rowsOf({ texts, labels }: ClassificationData): Dataset {
  const classes = classesOf(labels, 'train', 1)
  const numbers = [...classNumbers(labels, classes, 'train')]
  return Dataset.fromChecked(
    new Map<string, Column>([
      ['text', { values: texts, kind: 'text' }],
      ['label', { values: numbers, kind: 'label', classNames: classes.map(String) }],
    ]),
  )
}

export const RECIPE: Recipe = {
  name: 'fewShot',
  summary: 'Few texts with classes: a classifier of texts, and a model that keeps the classes apart (SetFit)',
  options: OPTIONS,
  run: fewShot as Recipe['run'],
}
