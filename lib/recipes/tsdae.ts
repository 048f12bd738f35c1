import { DenoisingAutoEncoderDataset } from '../data/legacy/denoising.js'
import { DenoisingAutoEncoderLoss } from '../losses/denoising-auto-encoder.js'
import { Pooling } from '../models/modules/pooling.js'
import { Transformer } from '../models/modules/transformer.js'
import { SentenceTransformer } from '../models/sentence-transformer.js'
import { choice, needed, number, optionValues } from '../options/kinds.js'
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

export interface TsdaeOptions extends RecipeOptions {
  /** Sentences: all texts of all columns. */
  train: DataOption | readonly DataOption[]
  /** Share of the words that are deleted. Default 0.6. */
  deleteRatio?: number
  /** Delete other words in every epoch, or the same ones. Default `fresh`. */
  noise?: 'fresh' | 'once'
}

const OPTIONS = {
  ...COMMON,
  train: described(needed(severalData(undefined)), 'Sentences: all texts of all columns'),
  deleteRatio: described(number(0.6, { least: 0, below: 1 }), 'Share of the words that are deleted'),
  noise: described(choice(['fresh', 'once'], 'fresh'), 'Delete other words in every epoch, or the same ones'),
} satisfies RecipeTable<TsdaeOptions>

/**
 * TSDAE: a decoder writes the sentence back of which the encoder saw only some words. All that it knows of the sentence is its
 * embedding. Sentences of the domain are enough.
 *
 * Paper: Wang et al. 2021, https://arxiv.org/abs/2104.06979.
 */
export async function tsdae(options: TsdaeOptions, context: RecipeContext = {}): Promise<RecipeResult> {
  const given = optionValues('tsdae', options, OPTIONS)
  return runRecipe('tsdae', given, context, async (run) => {
    // 1. Data: sentences, each once, and beside each the sentence without some of its words.
    const { sentences, dropped } = sentencesOf(await run.dataset(given.train))
    run.count('sentences', sentences.length)
    run.count('emptyOrRepeated', dropped)
    const noisy = new DenoisingAutoEncoderDataset(sentences, { delRatio: given.deleteRatio, seed: run.seed })

    // 2. The model and its trainer, which checks all arguments before anything is measured. The first token is the embedding, because it
    // has seen all others in the transformer. The decoder shares its weights with the encoder, and has the prediction head of the
    // checkpoint.
    const model = await run.loadModel(withClsPooling)
    const trainer = new SentenceTransformerTrainer({
      model,
      trainDataset: given.noise === 'fresh' ? noisy.toStream() : noisy.toDataset(),
      loss: new DenoisingAutoEncoderLoss({ tieEncoderDecoder: true }),
      ...run.training({ perDeviceTrainBatchSize: 8, learningRate: 3e-5, lrSchedulerType: 'constant' }),
    })

    // 3. The model as it is, and training.
    await run.before(model)
    await run.train(trainer)

    // 4. The encoder alone is kept.
    await run.after(model)
  })
}

/** The transformer of a folder or hub id, whose first token is the embedding. */
export async function withClsPooling(source: string): Promise<SentenceTransformer> {
  return SentenceTransformer.fromModules([await Transformer.load(source), new Pooling('cls')])
}

export const RECIPE: Recipe = {
  name: 'tsdae',
  summary: 'Sentences of a domain, without labels: an auto-encoder learns to embed them',
  options: OPTIONS,
  run: tsdae,
}
