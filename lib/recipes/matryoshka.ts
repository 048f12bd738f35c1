import { datasetSha256 } from '../data/hash-dataset.js'
import { invalidArgument, SentenceTorchError } from '../errors.js'
import type { Loss } from '../losses/loss.js'
import { MatryoshkaLoss } from '../losses/matryoshka.js'
import { Matryoshka2dLoss } from '../losses/matryoshka-2d.js'
import { SentenceTransformer } from '../models/sentence-transformer.js'
import { flag, integer, needed, nullable, option, optionValues } from '../options/kinds.js'
import { checkOneOf } from '../options.js'
import { type CodePrecision, PRECISIONS } from './few-bytes.js'
import { modelKey } from './fingerprint.js'
import { checkLossSpec, isLoss, type LossSpec, makeLoss } from './make-loss.js'
import { modelKind } from './model-kind.js'
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
import { SizeTable } from './size-table.js'
import { loadTrained, trainInStage } from './stage-training.js'
import { suggestLoss } from './suggest-loss.js'

export interface MatryoshkaOptions extends RecipeOptions {
  train: DataOption
  /** The loss at every width. Default: the usual one for the columns. */
  loss?: LossSpec | Loss
  /** Widths at which the embeddings are trained. Default: the model's, and 512, 256, 128 and 64 below it. */
  dims?: readonly number[]
  /** Factor of the loss at each width. Default: 1 for all. */
  weights?: readonly number[] | null
  /** Widths, chosen at random, of each batch. Default: all, and with `layers` one. */
  dimsPerStep?: number | null
  /** Trains the outputs of layers before the last one, too (Matryoshka2dLoss). Default false. */
  layers?: boolean
  /** Also trains with the loss alone, so that the table says what the widths are worth. Default true. */
  compare?: boolean
  /** Default: all three. */
  precisions?: readonly CodePrecision[]
}

const numbers = (expected: string, fits: (entry: number, i: number, all: readonly number[]) => boolean) =>
  option<readonly number[], undefined>({
    ...{ type: 'readonly number[]', default: undefined, expected },
    fits: (value) => Array.isArray(value) && value.length > 0 && value.every(fits),
  })

const OPTIONS = {
  ...COMMON,
  train: described(needed(data(undefined)), 'Rows for the loss'),
  loss: described(
    option<LossSpec | Loss, undefined>({
      ...{ type: 'LossSpec | Loss', default: undefined, expected: 'a loss' },
      check: (name, value) => {
        if (!isLoss(value)) checkLossSpec(value, name)
      },
    }),
    'The loss at every width, by its name, with its options. Default: the usual one for the columns',
  ),
  dims: described(
    numbers(
      'a list of widths, each once',
      (dim, i, all) => Number.isInteger(dim) && dim >= 1 && all.indexOf(dim) === i,
    ),
    "Widths at which embeddings are trained and measured. Default: the model's, and 512, 256, 128 and 64 below it",
  ),
  weights: described(
    nullable(numbers('a list of numbers, one for each of dims', (weight) => Number.isFinite(weight))),
    'Factor of the loss at each width; without it 1 for all',
  ),
  dimsPerStep: described(
    nullable(integer(undefined, { least: 1 })),
    'Widths, chosen at random, of each batch; without it all, and with `layers` one',
  ),
  layers: described(flag(false), 'Trains the outputs of layers before the last one, too (`Matryoshka2dLoss`)'),
  compare: described(flag(true), 'Also trains with the loss alone, to say what the widths are worth'),
  precisions: described(
    option<readonly CodePrecision[]>({
      ...{ type: 'readonly CodePrecision[]', default: PRECISIONS },
      expected: `a list of ${PRECISIONS.join(', ')}`,
      check: (name, value) => {
        if (!Array.isArray(value) || value.length === 0)
          throw invalidArgument(name, `a list of ${PRECISIONS.join(', ')}`, value)
        for (const entry of value) checkOneOf(name, entry ?? null, PRECISIONS)
      },
    }),
    'How the numbers of the measured embeddings are kept',
  ),
} satisfies RecipeTable<MatryoshkaOptions>

const WIDTHS = [512, 256, 128, 64]

/** The model's width, and those below it; of a model that is not wider than any of them, half and a quarter. */
function usualDims(width: number): number[] {
  const below = WIDTHS.filter((dim) => dim < width)
  return [width, ...(below.length > 0 ? below : [Math.ceil(width / 2), Math.ceil(width / 4)])]
}

/**
 * Matryoshka: embeddings whose first numbers are embeddings themselves, so that one model gives long and short ones. The table of the
 * result says what each size is worth, also in int8 and binary codes.
 *
 * Papers: Kusupati et al. 2022, https://arxiv.org/abs/2205.13147; Li et al. 2024, https://arxiv.org/abs/2402.14776 (layers).
 */
export async function matryoshka(options: MatryoshkaOptions, context: RecipeContext = {}): Promise<RecipeResult> {
  const given = optionValues('matryoshka', options, OPTIONS)
  const { args, precisions, layers, weights, dimsPerStep } = given
  return runRecipe('matryoshka', given, context, async (run) => {
    // 1. Data and loss.
    const train = await run.data(given.train)
    const choice = given.loss ?? suggestLoss(train, 'train').loss
    const loss = isLoss(choice)
      ? choice
      : await makeLoss(choice, 'loss', (guide) => run.loadModel(() => SentenceTransformer.load(guide)))

    // 2. The model as it is, in every size.
    const base = await run.loadModel()
    const { embeddingDimension: width, config } = base
    const dims = [...new Set(given.dims ?? usualDims(width))].sort((a, b) => b - a)
    if (dims[0]! > width) {
      const message = `matryoshka dims: expected widths up to ${width}, that of the model's embeddings, found ${dims[0]}`
      throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
    }
    const matryoshkaDims = given.dims ?? dims
    const some = dimsPerStep === null ? {} : { nDimsPerStep: dimsPerStep }
    const cut = { loss, matryoshkaDims, matryoshkaWeights: weights, ...some }
    const nested = layers ? new Matryoshka2dLoss(cut) : new MatryoshkaLoss(cut)
    await run.before(base)
    const table = new SizeTable(run, train, { dims, precisions })
    await table.add('as it was', base)
    await base.dispose()

    // 3. Training with the loss alone, and at every width.
    const own = { seed: run.seed, model: await modelKey(given.model), args, data: await datasetSha256(train) }
    const trained = (name: string, one: Loss) =>
      run.stages.run(
        name,
        { ...own, choice: isLoss(choice) ? choice.type : choice, loss: one.spec(width, config) },
        async (stage) => {
          const model = await run.loadModel()
          await trainInStage(run, stage, model, {
            ...{ trainDataset: train, loss: one, args },
            own: {
              perDeviceTrainBatchSize: 32,
              learningRate: 2e-5,
              warmupSteps: 0.1,
              ...modelKind('embedding').batching(loss),
            },
          })
          await model.dispose()
        },
      )
    if (given.compare) {
      const { folder } = await trained('loss-alone', loss)
      const model = await loadTrained(run, folder)
      await table.add('trained without widths', model)
      await model.dispose()
    }
    const { folder } = await trained('all-widths', nested)

    // 4. The model as it has become.
    const model = await loadTrained(run, folder)
    await run.after(model)
    await table.add('trained with widths', model)
    await table.write()
  })
}

export const RECIPE: Recipe = {
  name: 'matryoshka',
  summary:
    'Any data with any loss, and little memory for embeddings: they can be cut, and the table says what each size is worth',
  options: OPTIONS,
  run: matryoshka,
}
