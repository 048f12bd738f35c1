import { MultipleNegativesRankingLoss } from '../losses/multiple-negatives-ranking.js'
import { choice, integer, needed, nullable, optionValues, positive } from '../options/kinds.js'
import { SentenceTransformerTrainer } from '../training/index.js'
import type { NliNegatives } from './nli-rows.js'
import { rankingPairs } from './ranking-pairs.js'
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

export interface MultipleNegativesOptions extends RecipeOptions {
  /**
   * NLI rows: columns `premise`, `hypothesis` and `label` (0 entailment, 1 neutral, 2 contradiction). Or rows without a label: texts
   * that belong together, and perhaps negatives behind them.
   */
  train: DataOption | readonly DataOption[]
  /** The third text of an entailed pair. Default `hard`. */
  negatives?: NliNegatives
  /** Factor of the cosine. Default 20. */
  scale?: number
  /** Rows that pass the encoder at once, for batches that do not fit into memory. Default `null`: the whole batch. */
  miniBatchSize?: number | null
}

const OPTIONS = {
  ...COMMON,
  train: described(
    needed(severalData(undefined)),
    'NLI rows (`premise`, `hypothesis`, `label`), or texts that belong together',
  ),
  negatives: described(
    choice(['hard', 'soft', 'none'], 'hard'),
    'The third text of an NLI pair: a contradiction of the premise, a hypothesis of any other premise, or none',
  ),
  scale: described(positive(20), 'Factor of the cosine'),
  miniBatchSize: described(
    nullable(integer(undefined, { least: 1 })),
    'Gradient caching: rows that pass the encoder at once',
  ),
} satisfies RecipeTable<MultipleNegativesOptions>

/**
 * Multiple negatives ranking: every text has to find the one that belongs to it among those of the whole batch; of NLI, every
 * premise what follows from it. The best
 * start for a general model.
 *
 * Paper: Henderson et al. 2017, https://arxiv.org/abs/1705.00652; on NLI: Reimers, `training_nli_v2.py`.
 */
export async function multipleNegatives(
  options: MultipleNegativesOptions,
  context: RecipeContext = {},
): Promise<RecipeResult> {
  const given = optionValues('multipleNegatives', options, OPTIONS)
  return runRecipe('multipleNegatives', given, context, async (run) => {
    // 1. Data: entailed pairs, with a contradiction as the third text.
    const pairs = await rankingPairs(await run.datasets(given.train), { negatives: given.negatives, seed: run.seed })
    run.count('pairs', pairs.dataset.length)
    for (const [name, rows] of Object.entries(pairs.counts)) run.count(name, rows)

    // 2. The model and its trainer, which checks all arguments before anything is measured. A batch must not hold a text twice, because
    // it would be its own negative.
    const model = await run.loadModel()
    const trainer = new SentenceTransformerTrainer({
      model,
      trainDataset: pairs.dataset,
      loss: new MultipleNegativesRankingLoss({ scale: given.scale }),
      ...run.training({
        perDeviceTrainBatchSize: 32,
        learningRate: 2e-5,
        warmupSteps: 0.1,
        batchSampler: 'no_duplicates',
        miniBatchSize: given.miniBatchSize,
      }),
    })

    // 3. The model as it is, and training.
    await run.before(model)
    await run.train(trainer)

    // 4. The model as it has become.
    await run.after(model)
  })
}

export const RECIPE: Recipe = {
  name: 'multipleNegatives',
  summary: 'NLI pairs, or any pairs of texts that belong together: a general model for search and similarity',
  options: OPTIONS,
  run: multipleNegatives,
}
