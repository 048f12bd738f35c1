import { Dataset } from '../data/dataset.js'
import { ContrastiveTensionDataLoader } from '../data/legacy/contrastive-tension.js'
import { invalidArgument } from '../errors.js'
import { ContrastiveTensionLoss } from '../losses/contrastive-tension.js'
import { ContrastiveTensionLossInBatchNegatives } from '../losses/contrastive-tension-in-batch-negatives.js'
import { choice, integer, needed, optionValues } from '../options/kinds.js'
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

export interface ContrastiveTensionOptions extends RecipeOptions {
  /** Sentences: all texts of all columns. */
  train: DataOption | readonly DataOption[]
  /** Pairs that are the same sentence or not, as in the paper, or all sentences of a batch against each other. Default `inBatch`. */
  form?: 'pairs' | 'inBatch'
  /** Of the form `pairs`: the pairs for each one that is a sentence with itself. It divides the batch size. Default 8. */
  posNegRatio?: number
}

const OPTIONS = {
  ...COMMON,
  train: described(needed(severalData(undefined)), 'Sentences: all texts of all columns'),
  form: described(
    choice(['inBatch', 'pairs'], 'inBatch'),
    'All sentences of a batch against each other, or, as in the paper, pairs that are the same sentence or not',
  ),
  posNegRatio: described(
    integer(8, { least: 1 }),
    'With `pairs`: the pairs for each one that is a sentence with itself',
  ),
} satisfies RecipeTable<ContrastiveTensionOptions>

/**
 * Contrastive Tension: two copies of the model are trained to agree on equal sentences and to disagree on different ones. One of them
 * is kept.
 *
 * Paper: Carlsson et al. 2021, https://openreview.net/pdf?id=Ov_sMNau-PF.
 */
export async function contrastiveTension(
  options: ContrastiveTensionOptions,
  context: RecipeContext = {},
): Promise<RecipeResult> {
  const given = optionValues('contrastiveTension', options, OPTIONS)
  return runRecipe('contrastiveTension', given, context, async (run) => {
    // 1. Data: sentences, each once.
    const { sentences, dropped } = sentencesOf(await run.dataset(given.train))
    run.count('sentences', sentences.length)
    run.count('emptyOrRepeated', dropped)

    // 2. The model and its trainer, which checks all arguments before anything is measured.
    const model = await run.loadModel()
    const inBatch = given.form === 'inBatch'
    const { args, ...rest } = run.training({
      ...(inBatch ? { perDeviceTrainBatchSize: 32 } : { perDeviceTrainBatchSize: 16, batchSampler: 'sequential' }),
      ...{ learningRate: 1e-5, warmupSteps: 0.1 },
    })
    const trainer = new SentenceTransformerTrainer({
      model,
      trainDataset: inBatch
        ? Dataset.fromColumns({ text: sentences })
        : pairsOf(sentences, args.perDeviceTrainBatchSize!, given.posNegRatio, run.seed),
      loss: inBatch ? new ContrastiveTensionLossInBatchNegatives() : new ContrastiveTensionLoss(),
      ...{ args, ...rest },
    })

    // 3. The model as it is, and training.
    await run.before(model)
    await run.train(trainer)

    // 4. The model as it has become.
    await run.after(model)
  })
}

/** A stream of pairs, new ones in every epoch, whose order decides which of them are a sentence with itself. */
function pairsOf(sentences: readonly string[], batchSize: number, posNegRatio: number, seed: number) {
  const loader = new ContrastiveTensionDataLoader(sentences, batchSize, posNegRatio, { seed })
  if (loader.length === 0) {
    throw invalidArgument('train', `enough sentences for a batch of ${batchSize} pairs`, `${sentences.length} of them`)
  }
  return loader.toTrainingData().data
}

export const RECIPE: Recipe = {
  name: 'contrastiveTension',
  summary: 'Sentences without labels: two copies of the model agree on equal sentences and disagree on others',
  options: OPTIONS,
  run: contrastiveTension,
}
