import { Dataset } from '../data/dataset.js'
import { MultipleNegativesRankingLoss } from '../losses/multiple-negatives-ranking.js'
import { needed, optionValues, positive } from '../options/kinds.js'
import { SentenceTransformerTrainer } from '../training/index.js'
import {
  COMMON,
  type DataOption,
  described,
  type Recipe,
  type RecipeContext,
  type RecipeOptions,
  type RecipeResult,
  type RecipeTable,
  severalData,
} from './recipe.js'
import { runRecipe } from './run-recipe.js'
import { sentencesOf } from './sentences.js'

export interface SimcseOptions extends RecipeOptions {
  /** Sentences: all texts of all columns. */
  train: DataOption | readonly DataOption[]
  /** Factor of the cosine. Default 20, the temperature 0.05 of the paper. */
  scale?: number
}

const OPTIONS = {
  ...COMMON,
  train: described(needed(severalData(undefined)), 'Sentences: all texts of all columns'),
  scale: described(positive(20), 'Factor of the cosine: 1 divided by the temperature of the paper'),
} satisfies RecipeTable<SimcseOptions>

/**
 * SimCSE without labels: a sentence has to find itself among the others of the batch. Dropout makes its two embeddings differ.
 *
 * Paper: Gao et al. 2021, https://arxiv.org/abs/2104.08821.
 */
export async function simcse(options: SimcseOptions, context: RecipeContext = {}): Promise<RecipeResult> {
  const given = optionValues('simcse', options, OPTIONS)
  return runRecipe('simcse', given, context, async (run) => {
    // 1. Data: every sentence beside itself.
    const { sentences, dropped } = sentencesOf(await run.dataset(given.train))
    run.count('sentences', sentences.length)
    run.count('emptyOrRepeated', dropped)
    const pairs = Dataset.fromColumns({ anchor: sentences, positive: sentences })

    // 2. The model and its trainer, which checks all arguments before anything is measured.
    const model = await run.loadModel()
    const trainer = new SentenceTransformerTrainer({
      model,
      trainDataset: pairs,
      loss: new MultipleNegativesRankingLoss({ scale: given.scale }),
      ...run.training({ perDeviceTrainBatchSize: 64, learningRate: 3e-5, warmupSteps: 0.1 }),
    })

    // 3. The model as it is, and training.
    await run.before(model)
    await run.train(trainer)

    // 4. The model as it has become.
    await run.after(model)
  })
}

export const RECIPE: Recipe = {
  name: 'simcse',
  summary: 'Sentences without labels: each has to find itself among others, in spite of dropout',
  options: OPTIONS,
  run: simcse,
}
