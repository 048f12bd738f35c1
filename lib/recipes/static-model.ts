import { signalOf } from '../io/abort.js'
import { MatryoshkaLoss } from '../losses/matryoshka.js'
import { MultipleNegativesRankingLoss } from '../losses/multiple-negatives-ranking.js'
import { Normalize } from '../models/modules/normalize.js'
import { StaticEmbedding } from '../models/modules/static-embedding.js'
import { SentenceTransformer } from '../models/sentence-transformer.js'
import { integer, needed, optionValues, positive } from '../options/kinds.js'
import { SentenceTransformerTrainer } from '../training/index.js'
import { primaryNumbers } from './metrics.js'
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

export interface StaticModelOptions extends RecipeOptions {
  /** Texts that belong together, and perhaps negatives behind them; or NLI rows. */
  train: DataOption | readonly DataOption[]
  /** Width of the table. Default 256. */
  pcaDims?: number
  /** Of the weights by Zipf's law. Default 1e-4. */
  sifCoefficient?: number
  /** The least width at which embeddings are trained; widths are halved down to it. Default 32. */
  leastDims?: number
  /** Factor of the cosine. Default 20. */
  scale?: number
}

const OPTIONS = {
  ...COMMON,
  model: described(
    COMMON.model,
    'The model that the table is distilled from, or a static model, which is trained as it is',
  ),
  train: described(
    needed(severalData(undefined)),
    'Texts that belong together, or NLI rows (`premise`, `hypothesis`, `label`)',
  ),
  pcaDims: described(integer(256, { least: 1 }), 'Width of the table'),
  sifCoefficient: described(
    positive(1e-4),
    "Of the weights by Zipf's law; a smaller one takes more from frequent tokens",
  ),
  leastDims: described(integer(32, { least: 1 }), 'The least width that is trained; widths are halved down to it'),
  scale: described(positive(20), 'Factor of the cosine'),
} satisfies RecipeTable<StaticModelOptions>

/**
 * A model without a transformer: a table distilled from a model (what that makes of each token alone), trained on pairs, at several
 * widths. It encodes hundreds of times faster than the model, and loses some quality.
 *
 * Source: model2vec `distill`; sentence-transformers' static embedding models, https://huggingface.co/blog/static-embeddings.
 */
export async function staticModel(options: StaticModelOptions, context: RecipeContext = {}): Promise<RecipeResult> {
  const given = optionValues('staticModel', options, OPTIONS)
  const { pcaDims, sifCoefficient, leastDims } = given
  return runRecipe('staticModel', given, context, async (run) => {
    // 1. Data: texts that belong together.
    const pairs = await rankingPairs(await run.datasets(given.train!), { negatives: 'none', seed: run.seed })
    run.count('pairs', pairs.dataset.length)
    for (const [name, rows] of Object.entries(pairs.counts)) run.count(name, rows)

    // 2. The model that is distilled, for comparison, and the table that is made of it.
    const model = await run.loadModel(async (source) => {
      const teacher = await SentenceTransformer.load(source, signalOf(run))
      if (teacher.isStatic) {
        run.note('The model is static already: it was trained as it is.')
        return teacher
      }
      try {
        const measured = primaryNumbers(await run.measure(teacher))
        run.note(`The model that was distilled: ${measured}. Before is the table without training.`)
        const distillation = { pcaDims, sifCoefficient, ...signalOf(run) }
        const table = await StaticEmbedding.fromDistillation(teacher, distillation)
        return await SentenceTransformer.fromModules([table, new Normalize()])
      } finally {
        await teacher.dispose()
      }
    })
    run.count('dimensions', model.embeddingDimension)
    await run.before(model)

    // 3. Training, at several widths. Without a transformer large batches are cheap, and a table takes large steps.
    const inner = new MultipleNegativesRankingLoss({ scale: given.scale })
    const trainer = new SentenceTransformerTrainer({
      model,
      trainDataset: pairs.dataset,
      loss: new MatryoshkaLoss({ loss: inner, matryoshkaDims: halved(model.embeddingDimension, leastDims) }),
      ...run.training({
        perDeviceTrainBatchSize: 256,
        learningRate: 1e-2,
        warmupSteps: 0.1,
        batchSampler: 'no_duplicates',
      }),
    })
    await run.train(trainer)

    // 4. The model as it has become.
    await run.after(model)
  })
}

function halved(width: number, least: number): number[] {
  const dims = [width]
  while (Math.floor(dims.at(-1)! / 2) >= least) dims.push(Math.floor(dims.at(-1)! / 2))
  return dims
}

export const RECIPE: Recipe = {
  name: 'staticModel',
  summary:
    'Texts that belong together, and little time for encoding: a table of word embeddings, distilled and trained',
  options: OPTIONS,
  run: staticModel as Recipe['run'],
}
