import { AnglELoss } from '../losses/angle.js'
import { CoSENTLoss } from '../losses/cosent.js'
import { CosineSimilarityLoss } from '../losses/cosine-similarity.js'
import { choice, needed, optionValues, positive } from '../options/kinds.js'
import { SentenceTransformerTrainer } from '../training/index.js'
import { goldPairs } from './gold-pairs.js'
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

/** What the labels of the rows are: numbers of any scale, or the classes of NLI. */
export type PairLabels = 'scores' | 'nli'

export interface ScoredPairsOptions extends RecipeOptions {
  /** Rows of two texts and a label. */
  train: DataOption
  /** Default `scores`. */
  labels?: PairLabels
  /** The largest score, by which scores are divided: 5 for the STS benchmark. Default 1. */
  scale?: number
  /** Default `cosine`. */
  loss?: 'cosine' | 'cosent' | 'angle'
}

const LOSSES = { cosine: CosineSimilarityLoss, cosent: CoSENTLoss, angle: AnglELoss } as const

const OPTIONS = {
  ...COMMON,
  train: described(needed(data(undefined)), 'Rows of two texts and a label'),
  labels: described(
    choice(['scores', 'nli'], 'scores'),
    'What the labels are: scores of similarity, or the classes of NLI (0 entailment becomes 1, the others 0)',
  ),
  scale: described(positive(1), 'The largest score, by which scores are divided: 5 for the STS benchmark'),
  loss: described(
    choice(['cosine', 'cosent', 'angle'], 'cosine'),
    'The loss: `cosine` fits the scores themselves, `cosent` and `angle` only their order',
  ),
} satisfies RecipeTable<ScoredPairsOptions>

/**
 * Pairs with a score: the cosine of two embeddings learns how similar people find the texts.
 *
 * Papers: Reimers and Gurevych 2019, https://arxiv.org/abs/1908.10084 (cosine); Su 2022, https://kexue.fm/archives/8847 (CoSENT); Li
 * and Li 2023, https://arxiv.org/abs/2309.12871 (AnglE).
 */
export async function scoredPairs(options: ScoredPairsOptions, context: RecipeContext = {}): Promise<RecipeResult> {
  const given = optionValues('scoredPairs', options, OPTIONS)
  return runRecipe('scoredPairs', given, context, async (run) => {
    // 1. Data: scores from 0 to 1.
    const { labels, scale } = given
    const { dataset, dropped } = await goldPairs(await run.data(given.train), { labels, scale, numLabels: 1 })
    run.count('pairs', dataset.length)
    run.count('rowsWithoutLabel', dropped)

    // 2. The model and its trainer, which checks all arguments before anything is measured.
    const model = await run.loadModel()
    const trainer = new SentenceTransformerTrainer({
      model,
      trainDataset: dataset,
      loss: new LOSSES[given.loss](),
      ...run.training({ perDeviceTrainBatchSize: 32, learningRate: 2e-5, warmupSteps: 0.1 }),
    })

    // 3. The model as it is, and training.
    await run.before(model)
    await run.train(trainer)

    // 4. The model as it has become.
    await run.after(model)
  })
}

export const RECIPE: Recipe = {
  name: 'scoredPairs',
  summary: 'Pairs with a score of similarity, such as the STS benchmark: the cosine learns the scores',
  options: OPTIONS,
  run: scoredPairs,
}
