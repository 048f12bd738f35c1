import { Dataset } from '../data/dataset.js'
import { datasetSha256 } from '../data/hash-dataset.js'
import { DenoisingAutoEncoderDataset } from '../data/legacy/denoising.js'
import { DenoisingAutoEncoderLoss } from '../losses/denoising-auto-encoder.js'
import { MaskedLanguageModelLoss } from '../losses/masked-language-model.js'
import { MultipleNegativesRankingLoss } from '../losses/multiple-negatives-ranking.js'
import { SentenceTransformer } from '../models/sentence-transformer.js'
import { choice, needed, option, optionValues } from '../options/kinds.js'
import { isPlainObject } from '../options.js'
import type { PartialTrainingArguments } from '../training/index.js'
import { modelKey } from './fingerprint.js'
import { measuredTable } from './measured-table.js'
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
import { sentencesOf } from './sentences.js'
import { loadTrained, trainInStage } from './stage-training.js'
import { withClsPooling } from './tsdae.js'

export interface AdaptivePretrainingOptions extends RecipeOptions {
  /** Sentences of the domain. */
  domain: DataOption | readonly DataOption[]
  /** NLI rows, or texts that belong together, of any domain: as `multipleNegatives` takes them. */
  train: DataOption | readonly DataOption[]
  /** How the model gets to know the domain. Default `tsdae`. */
  method?: 'tsdae' | 'mlm'
  /** The third text of an entailed pair. Default `hard`. */
  negatives?: NliNegatives
  /** Training arguments of the first stage; `args` are those of the second. */
  domainArgs?: PartialTrainingArguments
}

const OPTIONS = {
  ...COMMON,
  domain: described(needed(severalData(undefined)), 'Sentences of the domain'),
  train: described(
    needed(severalData(undefined)),
    'NLI rows (`premise`, `hypothesis`, `label`), or texts that belong together',
  ),
  method: described(choice(['tsdae', 'mlm'], 'tsdae'), 'How the model gets to know the domain'),
  negatives: described(choice(['hard', 'soft', 'none'], 'hard'), 'As in `multipleNegatives`'),
  domainArgs: described(
    option<PartialTrainingArguments>({ type: 'object', default: {}, expected: 'an object', fits: isPlainObject }),
    'Training arguments of the first stage; `args` are those of the second',
  ),
} satisfies RecipeTable<AdaptivePretrainingOptions>

/**
 * Adaptive pre-training: first the texts of the domain, without labels, then pairs with labels of any domain. The same pairs also
 * train the model without the first stage, so that the result says what it was worth.
 *
 * Papers: Gururangan et al. 2020, https://arxiv.org/abs/2004.10964; Wang et al. 2021, https://arxiv.org/abs/2104.06979.
 */
export async function adaptivePretraining(
  options: AdaptivePretrainingOptions,
  context: RecipeContext = {},
): Promise<RecipeResult> {
  const given = optionValues('adaptivePretraining', options, OPTIONS)
  return runRecipe('adaptivePretraining', given, context, async (run) => {
    // 1. Data: sentences of the domain, and pairs.
    const { sentences } = sentencesOf(await run.dataset(given.domain))
    const pairs = await rankingPairs(await run.datasets(given.train), { negatives: given.negatives, seed: run.seed })
    run.count('sentences', sentences.length)
    run.count('pairs', pairs.dataset.length)
    for (const [name, rows] of Object.entries(pairs.counts)) run.count(name, rows)

    // 2. The model as it is. TSDAE embeds by the first token, and so do all models of this run.
    const load = given.method === 'tsdae' ? withClsPooling : SentenceTransformer.load
    const base = await run.loadModel((source) => load(source))
    const before = await run.before(base)
    await base.dispose()

    // 3. The first stage: the domain.
    const own = { seed: run.seed, model: await modelKey(given.model) }
    const domain = Dataset.fromColumns({ text: sentences })
    const { method, domainArgs: args } = given
    const adapting = { ...own, method, args, sentences: await datasetSha256(domain) }
    const adapted = await run.stages.run('adapt', adapting, async (stage) => {
      const model = await run.loadModel((source) => load(source))
      const noisy = new DenoisingAutoEncoderDataset(sentences, { seed: run.seed })
      await trainInStage(run, stage, model, {
        ...(method === 'tsdae'
          ? { trainDataset: noisy.toStream(), loss: new DenoisingAutoEncoderLoss({ decoderNameOrPath: given.model }) }
          : { trainDataset: domain, loss: new MaskedLanguageModelLoss({ decoderNameOrPath: given.model }) }),
        own: { perDeviceTrainBatchSize: 8, learningRate: 3e-5, lrSchedulerType: 'constant' },
        args,
      })
      await model.dispose()
    })

    // 4. The second stage: the pairs, from the adapted model and from the model as it was.
    const supervised = { ...own, args: given.args, pairs: await datasetSha256(pairs.dataset) }
    const train = async (name: string, start: () => Promise<SentenceTransformer>, key: string) =>
      run.stages.run(name, { ...supervised, method, start: key }, async (stage) => {
        const model = await start()
        await trainInStage(run, stage, model, {
          trainDataset: pairs.dataset,
          loss: new MultipleNegativesRankingLoss({ scale: 20 }),
          own: { perDeviceTrainBatchSize: 32, learningRate: 2e-5, warmupSteps: 0.1, batchSampler: 'no_duplicates' },
          args: given.args,
        })
        await model.dispose()
      })
    const plain = await train('pairs-alone', () => run.loadModel((source) => load(source)), own.model)
    const both = await train('pairs-after-domain', () => loadTrained(run, adapted.folder), adapted.key)

    // 5. The table: what each stage is worth.
    const table = new Map([['as it was', before]])
    for (const [name, { folder }] of [
      ['domain alone', adapted],
      ['pairs alone', plain],
    ] as const) {
      const model = await loadTrained(run, folder)
      table.set(name, await run.measure(model))
      await model.dispose()
    }
    const model = await loadTrained(run, both.folder)
    table.set('domain, then pairs', await run.after(model))
    await run.figure('stages', measuredTable({ title: 'What each stage is worth', rows: 'training', measured: table }))
  })
}

export const RECIPE: Recipe = {
  name: 'adaptivePretraining',
  summary: 'Sentences of a domain, and pairs of any other: first the domain without labels, then the pairs',
  options: OPTIONS,
  run: adaptivePretraining,
}
