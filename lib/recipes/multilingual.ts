import { Dataset } from '../data/dataset.js'
import { datasetSha256 } from '../data/hash-dataset.js'
import { SentenceTorchError } from '../errors.js'
import type { Evaluator } from '../evaluation/evaluator.js'
import { MSEEvaluator } from '../evaluation/mse.js'
import { SequentialEvaluator } from '../evaluation/sequential.js'
import { TranslationEvaluator } from '../evaluation/translation.js'
import { signalOf } from '../io/abort.js'
import { MSELoss } from '../losses/mse.js'
import { SentenceTransformer } from '../models/sentence-transformer.js'
import { needed, number, optionValues, text } from '../options/kinds.js'
import { modelKey } from './fingerprint.js'
import { loadData } from './load-data.js'
import { holdOutParallel, type ParallelSets, parallelSets } from './parallel-rows.js'
import {
  COMMON,
  type DataOption,
  described,
  type EvaluatorOption,
  type Recipe,
  type RecipeContext,
  type RecipeOptions,
  type RecipeResult,
  type RecipeTable,
  severalData,
} from './recipe.js'
import { evaluatorOf, runRecipe } from './run-recipe.js'
import { loadTrained, trainInStage } from './stage-training.js'
import { teacherEmbeddings } from './taught-vectors.js'
import { rowLabels } from './teacher-rows.js'

export interface MultilingualOptions extends RecipeOptions {
  /** The student: a multilingual model, or the teacher itself. */
  model: string
  /** The model that knows the language of the sources. */
  teacher: string
  /** Parallel sentences: a column of texts that the teacher knows, and one or more of their translations. */
  train: DataOption | readonly DataOption[]
  /** Share of the sources that are held out, with their translations: half measure during training, half before and after. Default 0.1. */
  holdOut?: number
}

const OPTIONS = {
  ...COMMON,
  model: described(COMMON.model, 'The student: a multilingual model, or the teacher itself'),
  teacher: described(
    needed(text(undefined, 'a folder or a hub id')),
    'The model that knows the language of the sources',
  ),
  train: described(
    needed(severalData(undefined)),
    'Parallel sentences: a column of texts that the teacher knows, and one or more of their translations',
  ),
  holdOut: described(
    number(0.1, { least: 0, below: 1 }),
    'Share of the sources that are held out, with their translations: half measure during training, half before and after',
  ),
} satisfies RecipeTable<MultilingualOptions>

/**
 * A model for one language becomes one for several: a student learns the teacher's embedding of a text, for the text itself and for its
 * translations.
 *
 * Paper: Reimers and Gurevych 2020, https://arxiv.org/abs/2004.09813.
 */
export async function multilingual(options: MultilingualOptions, context: RecipeContext = {}): Promise<RecipeResult> {
  const given = optionValues('multilingual', options, OPTIONS)
  const { seed, args, teacher: source } = given
  const { signal } = context

  // 1. Parallel sentences, of which some are held out.
  const sets: Dataset[] = []
  const sources: string[] = []
  let badRows = 0
  for (const one of [given.train].flat() as DataOption[]) {
    const loaded = await loadData(one, { where: 'train', signal })
    sets.push(loaded.dataset)
    sources.push(loaded.source)
    badRows += loaded.badRows.count
  }
  const { pairs, withoutTranslation } = parallelSets(sets)
  const parts = holdOutParallel(pairs, given.holdOut, seed)

  // 2. Evaluators: of each pair of languages the distance to the teacher and the share of translations that are found.
  const teacher = await SentenceTransformer.load(source, signalOf({ signal }))
  const measured: Partial<Record<'dev' | 'test', EvaluatorOption>> = {}
  try {
    for (const role of ['dev', 'test'] as const) {
      const evaluator = await evaluators(role, parts[role], teacher, given[role], signal)
      if (evaluator) measured[role] = evaluator
    }
  } finally {
    await teacher.dispose()
  }
  const written = { config: { recipe: 'multilingual', ...options }, ...context }
  return runRecipe('multilingual', { ...given, ...measured }, written, async (run) => {
    for (const [i, set] of sets.entries()) await run.data(set, 'train', sources[i])
    if (badRows > 0) run.count('badRows', badRows)
    run.count('withoutTranslation', withoutTranslation)
    for (const [name, { sources: texts }] of parts.train) run.count(`train.${name}`, texts.length)
    for (const [name, { sources: texts }] of parts.test) run.count(`test.${name}`, texts.length)

    // 3. The student as it is.
    const base = await run.loadModel()
    await run.before(base)
    const { embeddingDimension: width } = base
    await base.dispose()

    // 4. The teacher's embeddings of all sources, computed once.
    const texts = [...new Set([...parts.train.values()].flatMap((each) => each.sources))]
    const { key, rows } = await teacherEmbeddings(run, source, texts)
    if (rows.shape[1] !== width) throw otherWidth(width, rows.shape[1])
    const train = taught(parts.train, texts, rowLabels(rows))

    // 5. Training: a data set for each pair of languages, in turns by their sizes.
    const fingerprints = await Promise.all(Object.values(train).map((set) => datasetSha256(set.removeColumns('label'))))
    const inputs = { seed, model: await modelKey(given.model), args, teacher: key, fingerprints }
    const { folder } = await run.stages.run('training', inputs, async (stage) => {
      const model = await run.loadModel()
      const [only, ...others] = Object.values(train)
      await trainInStage(run, stage, model, {
        trainDataset: others.length === 0 ? only! : train,
        loss: new MSELoss(),
        own: { perDeviceTrainBatchSize: 64, learningRate: 2e-5, warmupSteps: 0.1, numTrainEpochs: 5 },
        args,
      })
      await model.dispose()
    })

    // 6. The student as it has become.
    await run.after(await loadTrained(run, folder))
  })
}

/** All that measures a role; undefined: nothing does. */
async function evaluators(
  role: 'dev' | 'test',
  parallel: ParallelSets,
  teacherModel: SentenceTransformer,
  given: EvaluatorOption | undefined,
  signal: AbortSignal | undefined,
): Promise<Evaluator | undefined> {
  const all: Evaluator[] = []
  for (const [name, { sources, targets }] of parallel) {
    const texts = { sourceSentences: sources, targetSentences: targets, name: `${role}_${name}` }
    const distance = new MSEEvaluator({ ...texts, teacherModel })
    await distance.teacherEmbeddings
    all.push(distance, new TranslationEvaluator(texts))
  }
  if (given) all.push(await evaluatorOf(role, given, signal))
  if (all.length === 0) return undefined
  const mean = (scores: readonly number[]) => scores.reduce((sum, score) => sum + score, 0) / scores.length
  return new SequentialEvaluator(all, { mainScoreFunction: mean })
}

/** Rows for the loss: a text, its translation, and the teacher's embedding of the text for both. */
function taught(pairs: ParallelSets, texts: readonly string[], labels: number[][]): Record<string, Dataset> {
  const places = new Map(texts.map((text, i) => [text, i]))
  const entries = [...pairs].map(([name, { sources, targets }]) => {
    const label = sources.map((text) => labels[places.get(text)!]!)
    return [name, Dataset.fromColumns({ source: sources, translation: targets, label })] as const
  })
  return Object.fromEntries(entries)
}

function otherWidth(student: number, teacher: number): SentenceTorchError {
  const message = `multilingual: expected a model whose embeddings have ${teacher} numbers, as the teacher's, found ${student}`
  return new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
}

export const RECIPE: Recipe = {
  name: 'multilingual',
  summary:
    'Texts and their translations, and a model for one language: another model learns to embed all of them alike',
  options: OPTIONS,
  run: multilingual,
}
