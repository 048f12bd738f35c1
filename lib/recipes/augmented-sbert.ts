import { join } from 'node:path'
import { Dataset } from '../data/dataset.js'
import { datasetSha256 } from '../data/hash-dataset.js'
import { SentenceTorchError } from '../errors.js'
import { CosineSimilarityLoss } from '../losses/cosine-similarity.js'
import { BinaryCrossEntropyLoss } from '../losses/cross-encoder/binary-cross-entropy.js'
import { CrossEntropyLoss } from '../losses/cross-encoder/cross-entropy.js'
import { CrossEncoder } from '../models/cross-encoder.js'
import { choice, flag, integer, needed, number, option, optionValues, positive, text } from '../options/kinds.js'
import { isPlainObject } from '../options.js'
import type { PartialTrainingArguments } from '../training/index.js'
import { modelKey } from './fingerprint.js'
import { goldPairs, twoTexts } from './gold-pairs.js'
import { primaryNumbers } from './metrics.js'
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
import { distinctTexts, goldAndSilver, pairRows, pairsOf, recombine, withoutGold } from './silver-pairs.js'
import { agreement, agreementFigure, balanceFigure, stagesFigure } from './silver-report.js'
import { labelPairs, trainCrossEncoderInStage } from './stage-cross-encoder.js'
import { loadTrained, stageModel, trainInStage } from './stage-training.js'

export interface AugmentedSbertOptions extends RecipeOptions {
  /** Gold pairs: rows of two texts and a label. */
  train: DataOption
  /** What the labels are: scores of similarity, or the classes of NLI. Default `scores`. */
  labels?: 'scores' | 'nli'
  /** The largest score, by which scores are divided: 5 for the STS benchmark. Default 1. */
  scale?: number
  /** Rows of two texts without a label. Default: the texts of the gold pairs, paired anew. */
  silver?: DataOption
  /** How texts are paired anew: by meaning or by words. Default `semantic`. */
  pairing?: 'semantic' | 'bm25'
  /** Partners of a text that is paired anew. Default 3. */
  topK?: number
  /** The model that becomes the cross-encoder: a folder or a hub id. Default: `model`. */
  crossEncoder?: string
  /** 1: the cross-encoder gives scores. 2: it decides between the classes 0 and 1. Default 1. */
  numLabels?: number
  /** Training arguments of the cross-encoder; `args` are those of the bi-encoder. */
  crossEncoderArgs?: PartialTrainingArguments
  /** Share of the gold pairs that the cross-encoder does not see, on which its labels are compared with theirs. Default 0.1. */
  heldOut?: number
  /** Also trains on the gold pairs alone, so that the result says what the silver ones are worth. Default true. */
  compareGold?: boolean
}

const OPTIONS = {
  ...COMMON,
  train: described(needed(data(undefined)), 'Gold pairs: rows of two texts and a label'),
  labels: described(
    choice(['scores', 'nli'], 'scores'),
    'What the labels are: scores of similarity, or the classes of NLI (0 entailment becomes 1, the others 0)',
  ),
  scale: described(positive(1), 'The largest score, by which scores are divided: 5 for the STS benchmark'),
  silver: described(
    data(undefined),
    'Rows of two texts without a label; without them, texts of gold pairs are paired anew',
  ),
  pairing: described(
    choice(['semantic', 'bm25'], 'semantic'),
    'How texts are paired anew: with those that `model` finds near, or by words',
  ),
  topK: described(integer(3, { least: 1 }), 'Partners of a text that is paired anew'),
  crossEncoder: described(
    text(undefined, 'a folder or a hub id'),
    'The model that becomes the cross-encoder; without it, `model`',
  ),
  numLabels: described(
    integer(1, { least: 1, most: 2 }),
    '1: the cross-encoder gives scores; 2: it decides between the classes 0 and 1',
  ),
  crossEncoderArgs: described(
    option<PartialTrainingArguments>({ type: 'object', default: {}, expected: 'an object', fits: isPlainObject }),
    'Training arguments of the cross-encoder; `args` are those of the bi-encoder',
  ),
  heldOut: described(
    number(0.1, { least: 0, below: 1 }),
    'Share of the gold pairs on which labels of the cross-encoder, which does not see them, are compared with theirs',
  ),
  compareGold: described(flag(true), 'Also trains on the gold pairs alone, to say what the silver ones are worth'),
} satisfies RecipeTable<AugmentedSbertOptions>

/**
 * Augmented SBERT: few pairs have a label, so a cross-encoder, which learns more from few, labels many others, and the bi-encoder
 * trains on all of them.
 *
 * Paper: Thakur et al. 2021, https://arxiv.org/abs/2010.08240.
 */
export async function augmentedSbert(
  options: AugmentedSbertOptions,
  context: RecipeContext = {},
): Promise<RecipeResult> {
  const given = optionValues('augmentedSbert', options, OPTIONS)
  const { numLabels, args, crossEncoderArgs } = given
  return runRecipe('augmentedSbert', given, context, async (run) => {
    // 1. Data: gold pairs with labels from 0 to 1, of which the cross-encoder does not see all.
    const { dataset: gold, dropped } = await goldPairs(await run.data(given.train), given)
    run.count('goldPairs', gold.length)
    run.count('rowsWithoutLabel', dropped)
    const shown = gold.length - Math.floor(gold.length * given.heldOut)
    const mixed = await gold.shuffle(run.seed)
    const [seen, unseen] = [mixed.head(shown), mixed.select(range(shown, gold.length))]

    // 2. The model as it is.
    const base = await run.loadModel()
    const before = await run.before(base)

    // 3. The cross-encoder. With scores, which have no direction, it reads each pair both ways.
    const start = given.crossEncoder ?? given.model
    const own = { seed: run.seed, numLabels }
    const scored = { ...own, model: await modelKey(start), args: crossEncoderArgs, gold: await datasetSha256(seen) }
    const judge = await run.stages.run('cross-encoder', { ...scored, labels: given.labels }, async (stage) => {
      const model = await CrossEncoder.load(start, { numLabels, seed: run.seed })
      try {
        const trainDataset = given.labels === 'scores' ? await bothWays(seen) : seen
        const loss = numLabels === 1 ? new BinaryCrossEntropyLoss() : new CrossEntropyLoss()
        await trainCrossEncoderInStage(run, stage, model, { trainDataset, loss, args: crossEncoderArgs })
      } finally {
        await model.dispose()
      }
    })

    // 4. Silver pairs: given, or texts of the domain paired anew; a pair that has a gold label needs no other.
    const { silver, pairing, topK } = given
    const foreign = silver === undefined ? undefined : await run.data(silver)
    if (foreign !== undefined) twoTexts(foreign)
    const source =
      foreign === undefined
        ? { pairing, topK, ...(pairing === 'semantic' && { model: await modelKey(given.model) }) }
        : { silver: await datasetSha256(foreign) }
    const paired = await run.stages.run(
      'silver-pairs',
      { ...source, gold: await datasetSha256(gold) },
      async (stage) => {
        const model = pairing === 'semantic' ? { model: base } : {}
        const pairs = foreign
          ? pairsOf(foreign)
          : await recombine(distinctTexts(gold), { topK, signal: run.signal, ...model })
        const fresh = withoutGold(pairs, gold)
        if (fresh.length === 0) {
          const message = `Expected silver pairs that are no gold pairs, found none among ${pairs.length} pairs`
          throw new SentenceTorchError('ERR_INVALID_DATA', message)
        }
        await pairRows(fresh).toFile(join(stage.folder, 'pairs.jsonl'))
      },
    )
    await base.dispose()

    // 5. Their labels, and beside them those of gold pairs that the cross-encoder did not see.
    const labelled = await run.stages.run('silver-labels', { judge: judge.key, pairs: paired.key }, async (stage) => {
      const model = await CrossEncoder.load(stageModel(judge.folder))
      try {
        const pairs = await Dataset.fromFile(join(paired.folder, 'pairs.jsonl'))
        await withColumn(pairs, 'score', await labelPairs(model, pairsOf(pairs), run.signal)).toFile(
          join(stage.folder, 'silver.jsonl'),
        )
        if (unseen.length === 0) return
        const judged = await labelPairs(model, pairsOf(unseen), run.signal)
        await withColumn(unseen, 'predicted', judged).toFile(join(stage.folder, 'held-out.jsonl'))
      } finally {
        await model.dispose()
      }
    })
    const silverRows = await Dataset.fromFile(join(labelled.folder, 'silver.jsonl'))
    run.count('silverPairs', silverRows.length)
    await run.figure('silver-balance', balanceFigure(gold, silverRows, numLabels))
    if (unseen.length > 0) {
      const heldOut = await Dataset.fromFile(join(labelled.folder, 'held-out.jsonl'))
      for (const [name, value] of Object.entries(agreement(heldOut, numLabels))) run.count(name, value)
      await run.figure('silver-agreement', agreementFigure(heldOut, numLabels))
    }

    // 6. The bi-encoder, on gold pairs alone and on both.
    const train = async (name: string, trainDataset: Dataset) =>
      run.stages.run(
        name,
        { seed: run.seed, model: await modelKey(given.model), args, pairs: await datasetSha256(trainDataset) },
        async (stage) => {
          const model = await run.loadModel()
          const own = { perDeviceTrainBatchSize: 16, learningRate: 2e-5, warmupSteps: 0.1 }
          await trainInStage(run, stage, model, { trainDataset, loss: new CosineSimilarityLoss(), own, args })
          await model.dispose()
        },
      )
    const goldAlone = given.compareGold ? await train('gold-alone', gold) : undefined
    const both = await train('gold-and-silver', await goldAndSilver(gold, silverRows))

    // 7. The models side by side.
    const measured = new Map([['as it was', before]])
    if (goldAlone !== undefined) {
      const model = await loadTrained(run, goldAlone.folder)
      const alone = await run.measure(model)
      measured.set('gold', alone)
      run.note(`Trained on the gold pairs alone: ${primaryNumbers(alone)}.`)
      await model.dispose()
    }
    const model = await loadTrained(run, both.folder)
    measured.set('gold and silver', await run.after(model))
    const figure = stagesFigure(measured)
    if (figure !== undefined) await run.figure('gold-and-silver', figure)
  })
}

function range(start: number, end: number): number[] {
  return Array.from({ length: end - start }, (_, i) => start + i)
}

/** (a, b) and (b, a) of every row. */
async function bothWays(gold: Dataset): Promise<Dataset> {
  const turned = { sentence1: gold.texts('sentence2'), sentence2: gold.texts('sentence1'), score: gold.column('score') }
  return Dataset.concatenate([gold, Dataset.fromColumns(turned)])
}

function withColumn(dataset: Dataset, name: string, values: readonly number[]): Dataset {
  const columns = Object.fromEntries(dataset.columnNames.map((column) => [column, dataset.column(column)]))
  return Dataset.fromColumns({ ...columns, [name]: values })
}

export const RECIPE: Recipe = {
  name: 'augmentedSbert',
  summary: 'Few labelled pairs, and many texts or pairs without labels: a cross-encoder labels these (Augmented SBERT)',
  options: OPTIONS,
  run: augmentedSbert,
}
