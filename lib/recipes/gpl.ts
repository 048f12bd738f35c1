import { join } from 'node:path'
import { Dataset } from '../data/dataset.js'
import { datasetSha256 } from '../data/hash-dataset.js'
import { SentenceTorchError } from '../errors.js'
import { MarginMSELoss } from '../losses/margin-mse.js'
import { CrossEncoder } from '../models/cross-encoder.js'
import { choice, integer, nullable, optionValues, positive, text } from '../options/kinds.js'
import { modelKey } from './fingerprint.js'
import { hardNegatives, marginsOf, withMargins } from './margins.js'
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

export interface GplOptions extends RecipeOptions, QueryOptions {
  /** The teacher: a cross-encoder with one label. Default `cross-encoder/ms-marco-MiniLM-L6-v2`. */
  crossEncoder?: string
  /** Negatives of each pair, drawn from the 50 passages that `model` finds nearest. Default 3. */
  negatives?: number
  /** What the margins of the trained model are made of. Default `dot`. */
  similarity?: 'dot' | 'cosine'
  /**
   * Margins of the teacher are multiplied by one factor, so that the largest becomes this. Default null: as they are for vectors of
   * any length; 1 where the margins are differences of cosines, of which none can be larger than 2.
   */
  largestMargin?: number | null
}

const OPTIONS = {
  ...COMMON,
  ...QUERY_OPTIONS,
  crossEncoder: described(
    text('cross-encoder/ms-marco-MiniLM-L6-v2', 'a folder or a hub id'),
    'The teacher: a cross-encoder with one label',
  ),
  negatives: described(
    integer(3, { least: 1 }),
    'Negatives of each pair, drawn from the 50 passages that `model` finds nearest',
  ),
  similarity: described(choice(['dot', 'cosine'], 'dot'), 'What the margins of the trained model are made of'),
  largestMargin: described(
    nullable(positive(1)),
    'Scales the margins so that the largest is this; `null`: 1 for cosines and vectors of length 1, else as they are',
  ),
} satisfies RecipeTable<GplOptions>

/**
 * GPL: documents alone, as with GenQ, but a cross-encoder says by how much a query's passage is better than others that a model
 * takes for it. A passage that also answers the query then is no wrong negative, and a bad query does little harm.
 *
 * Paper: Wang et al. 2021, https://arxiv.org/abs/2112.07577.
 */
export async function gpl(options: GplOptions, context: RecipeContext = {}): Promise<RecipeResult> {
  const given = optionValues('gpl', options, OPTIONS)
  checkQuerySources('gpl', given)
  return runRecipe('gpl', given, context, async (run) => {
    // 1. The model as it is.
    const base = await run.loadModel()
    await run.before(base)

    // 2. Pairs: passages, their queries, and perhaps only the queries that lead back to their passages.
    const { pairs, corpus } = await queryStages(run, given, base)
    const own = { seed: run.seed, model: await modelKey(given.model) }

    // 3. Negatives: what the model as it is takes for the passage.
    const { negatives: count } = given
    const found = { ...own, count, pairs: await datasetSha256(pairs), corpus: await datasetSha256(textRows(corpus)) }
    const mined = await run.stages.run('negatives', found, async ({ folder }) => {
      const triplets = await hardNegatives(pairs, corpus, base, { count, seed: run.seed, signal: run.signal })
      await triplets.toFile(join(folder, 'triplets.jsonl'))
    })
    const isUnit = given.similarity === 'cosine' || base.modules.some(({ type }) => type === 'Normalize')
    await base.dispose()

    // 4. The teacher's margins: raw scores, whatever activation it has.
    const judged = { triplets: mined.key, crossEncoder: await modelKey(given.crossEncoder) }
    const scored = await run.stages.run('margins', judged, async ({ folder }) => {
      const triplets = await Dataset.fromFile(join(mined.folder, 'triplets.jsonl'))
      const teacher = await CrossEncoder.load(given.crossEncoder)
      try {
        if (teacher.numLabels !== 1) throw severalLabels(given.crossEncoder, teacher.numLabels)
        await withMargins(triplets, await marginsOf(triplets, teacher, run.signal)).toFile(
          join(folder, 'margins.jsonl'),
        )
      } finally {
        await teacher.dispose()
      }
    })
    const teaching = await Dataset.fromFile(join(scored.folder, 'margins.jsonl'))
    const margins = teaching.labels() as number[]
    run.count('triplets', teaching.length)
    run.count('marginsBelowZero', margins.filter((margin) => margin < 0).length)
    await run.figure('margins', {
      ...{ kind: 'histogram', title: "The teacher's margins", xTitle: 'score of the passage − score of the negative' },
      ...{ section: 'data', series: [{ name: 'triplets', values: margins }] },
    })

    // 5. Training on margins that the model can have.
    const factor = factorOf(margins, given.largestMargin ?? (isUnit ? 1 : null))
    if (factor !== 1) run.note(`The margins of the teacher were multiplied by ${factor.toPrecision(3)}.`)
    const { args, similarity } = given
    const inputs = { ...own, args, similarity, factor, margins: scored.key }
    const { folder } = await run.stages.run('training', inputs, async (stage) => {
      const model = await run.loadModel()
      const scaled = margins.map((margin) => margin * factor)
      await trainInStage(run, stage, model, {
        trainDataset: withMargins(teaching, scaled),
        loss: new MarginMSELoss({ similarityFct: similarity === 'dot' ? 'pairwise_dot_score' : 'pairwise_cos_sim' }),
        own: { perDeviceTrainBatchSize: 32, learningRate: 2e-5, warmupSteps: 0.1 },
        args,
      })
      await model.dispose()
    })

    // 6. The model as it has become.
    await run.after(await loadTrained(run, folder))
  })
}

function textRows(texts: readonly string[]): Dataset {
  return Dataset.fromColumns({ text: texts })
}

function factorOf(margins: readonly number[], largest: number | null): number {
  const most = margins.reduce((found, margin) => Math.max(found, Math.abs(margin)), 0)
  return largest === null || most === 0 ? 1 : largest / most
}

function severalLabels(source: string, labels: number): SentenceTorchError {
  const message = `Expected a cross-encoder with one label as crossEncoder, found ${labels} labels in ${source}`
  return new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
}

export const RECIPE: Recipe = {
  name: 'gpl',
  summary: 'Documents alone, and a cross-encoder: as GenQ, with hard negatives and how much worse they are (GPL)',
  options: OPTIONS,
  run: gpl,
}
