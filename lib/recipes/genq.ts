import { datasetSha256 } from '../data/hash-dataset.js'
import { MultipleNegativesRankingLoss } from '../losses/multiple-negatives-ranking.js'
import { optionValues, positive, text } from '../options/kinds.js'
import { modelKey } from './fingerprint.js'
import { QUERY_OPTIONS, type QueryOptions } from './queries/options.js'
import { checkQuerySources, queryStages } from './queries/query-stages.js'
import {
  COMMON,
  described,
  type Recipe,
  type RecipeContext,
  type RecipeOptions,
  type RecipeResult,
  type RecipeTable,
} from './recipe.js'
import { runRecipe } from './run-recipe.js'
import { loadTrained, trainInStage } from './stage-training.js'

export interface GenqOptions extends Omit<RecipeOptions, 'model'>, QueryOptions {
  /** The model to start from: a folder or a hub id. Default `microsoft/mpnet-base`, which gets mean pooling. */
  model?: string
  /** Factor of the cosine. Default 20. */
  scale?: number
}

const OPTIONS = {
  ...COMMON,
  model: described(
    text('microsoft/mpnet-base', 'a folder or a hub id'),
    'The model to start from; one without pooling gets the mean',
  ),
  ...QUERY_OPTIONS,
  scale: described(positive(20), 'Factor of the cosine'),
} satisfies RecipeTable<GenqOptions>

/**
 * GenQ: documents alone are enough to train a model for search. A generator writes queries for every passage, and each query has to
 * find its passage among those of the batch.
 *
 * Papers: Thakur et al. 2021, https://arxiv.org/abs/2104.08663 (GenQ); Nogueira and Lin 2019, docTTTTTquery.
 */
export async function genq(options: GenqOptions, context: RecipeContext = {}): Promise<RecipeResult> {
  const given = optionValues('genq', options, OPTIONS)
  checkQuerySources('genq', given)
  return runRecipe('genq', given, context, async (run) => {
    // 1. The model as it is.
    const base = await run.loadModel()
    await run.before(base)

    // 2. Pairs: passages, their queries, and perhaps only the queries that lead back to their passages.
    const { pairs } = await queryStages(run, given, base)
    await base.dispose()

    // 3. Training. A batch must not hold a passage twice, because it would be its own negative.
    const { args, scale } = given
    const inputs = {
      seed: run.seed,
      model: await modelKey(given.model),
      args,
      scale,
      pairs: await datasetSha256(pairs),
    }
    const { folder } = await run.stages.run('training', inputs, async (stage) => {
      const model = await run.loadModel()
      await trainInStage(run, stage, model, {
        trainDataset: pairs,
        loss: new MultipleNegativesRankingLoss({ scale }),
        own: { perDeviceTrainBatchSize: 24, learningRate: 2e-5, warmupSteps: 0.1, batchSampler: 'no_duplicates' },
        args,
      })
      await model.dispose()
    })

    // 4. The model as it has become.
    await run.after(await loadTrained(run, folder))
  })
}

export const RECIPE: Recipe = {
  name: 'genq',
  summary:
    'Documents alone: a T5 or a service writes queries for their passages, and a model learns to find these (GenQ)',
  options: OPTIONS,
  run: genq,
}
