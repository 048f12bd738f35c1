/** Real data and a real model beside the repository. Tests that need them are skipped without. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import {
  Dataset,
  evaluation,
  SentenceTransformer,
  SentenceTransformerTrainer,
  type SentenceTransformerTrainerOptions,
} from '../../lib/index.js'

const root = fileURLToPath(new URL('../../../../shared/', import.meta.url))

export const MINILM = `${root}models/all-MiniLM-L6-v2`
export const sharedData = (path: string) => `${root}data/${path}`

export const hasShared = existsSync(MINILM) && existsSync(sharedData('README.md'))
if (!hasShared)
  console.warn('No ../shared with data and all-MiniLM-L6-v2 beside the repository: the tests of recipes are skipped')

/**
 * For trainings of a minute beside a control that learns from shuffled data: `npm run test:recipes` runs them all. `npm test` leaves out
 * those of recipes whose parts other tests train with, too.
 */
export const runsControls = hasShared && process.env.SENTENCE_TORCH_TEST_RECIPES !== undefined

/** Spearman on rows of the STS benchmark's dev split (`length` of them, from `start`). */
export async function stsDev(
  name: string,
  start: number,
  length: number,
): Promise<evaluation.EmbeddingSimilarityEvaluator> {
  const dev = await Dataset.fromFile(sharedData('stsb/dev.tsv'))
  const part = dev.select(Array.from({ length }, (_, i) => start + i))
  return new evaluation.EmbeddingSimilarityEvaluator({
    sentences1: part.texts('sentence1'),
    sentences2: part.texts('sentence2'),
    scores: part.labels() as number[],
    name,
  })
}

/** The same rows with the values of one column in another order: what a control trains on. */
export async function shuffledColumn(dataset: Dataset, column: string, seed = 1): Promise<Dataset> {
  const other = (await dataset.selectColumns([column]).shuffle(seed)).column(column)
  const columns = dataset.columnNames.map((name) => [name, name === column ? other : dataset.column(name)])
  return Dataset.fromColumns(Object.fromEntries(columns))
}

/**
 * Trains all-MiniLM-L6-v2 on rows that teach nothing, as a recipe would on real ones: what a recipe has to beat.
 * @returns the evaluator's primary metric
 */
export async function controlTraining(
  parts: Required<Pick<SentenceTransformerTrainerOptions, 'trainDataset' | 'loss' | 'args'>>,
  evaluator: evaluation.EmbeddingSimilarityEvaluator,
  load: () => Promise<SentenceTransformer> = () => SentenceTransformer.load(MINILM),
): Promise<number> {
  const model = await load()
  await new SentenceTransformerTrainer({ model, progress: false, ...parts }).train()
  const { metrics, primaryMetric } = await evaluator.evaluate(model)
  await model.dispose()
  return metrics[primaryMetric]!
}
