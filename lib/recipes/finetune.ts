import { invalidArgument } from '../errors.js'
import type { Evaluator } from '../evaluation/evaluator.js'
import { SentenceTransformer } from '../models/sentence-transformer.js'
import { optionValues } from '../options/kinds.js'
import type { PartialTrainingArguments } from '../training/index.js'
import { checkSearch, type PrepareOptions, prepare, typeOf } from './finetune-data.js'
import { FINETUNE_OPTIONS, type FinetuneOptions } from './finetune-options.js'
import type { LossSpec } from './make-loss.js'
import type { MeasuredRole } from './metrics.js'
import { modelKind } from './model-kind.js'
import { inTrainer } from './named-data.js'
import type { Recipe, RecipeContext, RecipeOptions, RecipeResult } from './recipe.js'
import { runRecipe } from './run-recipe.js'
import { devSource } from './search/dev-source.js'
import { secondsOf } from './search/duration.js'
import { findSettings } from './search/find-settings.js'

/**
 * Any data with any loss: what `SentenceTransformerTrainer` and `CrossEncoderTrainer` do, with numbers before and after.
 * @throws ERR_INVALID_DATA where no loss is named and none is usual for the columns
 */
export async function finetune(options: FinetuneOptions, context: RecipeContext = {}): Promise<RecipeResult> {
  const started = performance.now()
  const given = optionValues('finetune', options, FINETUNE_OPTIONS)
  const budget = given.budget === undefined ? undefined : secondsOf('finetune budget', given.budget)
  if (budget !== undefined) checkSearch(options)
  else if (given.search) throw invalidArgument('finetune search', 'nothing without budget', given.search)
  const { model: baseModel, seed } = given
  const kind = modelKind(await typeOf(options, context))
  const data = await prepare(given as PrepareOptions, kind, context)
  const measured = { ...given, ...(data.evaluators as Partial<Record<MeasuredRole, Evaluator>>) }
  const written = { config: { recipe: 'finetune', ...options }, ...context }
  return runRecipe('finetune', measured as RecipeOptions, written, async (run) => {
    // 1. Data and losses.
    for (const { name, rows, source, badRows } of data.train) {
      if (badRows > 0) run.count(name === '' ? 'badRows' : `badRows.${name}`, badRows)
      await run.data(rows, 'train', source)
    }
    for (const { rows, source } of data.eval) await run.data(rows, 'dev', source)
    for (const note of data.notes) run.note(note)
    const loadGuide = (guide: string) => run.loadModel(() => SentenceTransformer.load(guide))

    // 2. The model, and its trainer, which checks all arguments before anything is measured.
    const { signal } = run
    const load = () => run.loadModel(() => kind.load(baseModel, { signal, seed, numLabels: data.numLabels }))
    const model = await load()
    const loss = await kind.makeLosses(data.loss, loadGuide)
    const own = { ...OWN_ARGUMENTS, ...kind.batching(loss), ...(data.eval.length > 0 && EVALUATES) }
    const trainer = kind.trainer({
      model,
      trainDataset: inTrainer(data.train),
      ...(data.eval.length > 0 && { evalDataset: inTrainer(data.eval) }),
      loss,
      ...run.training(own),
    })
    const begun = performance.now()
    await run.before(model)
    if (budget !== undefined) {
      await model.dispose()
      const dev = await devSource(kind, data.evaluators.dev!, given.dev, data.heldOut, { seed, signal })
      const of = { kind, load, dev, budget, started, args: given.args, own: OWN_ARGUMENTS, search: given.search }
      const rows = { train: data.train[0]!.rows, loss: data.loss as LossSpec, suggestion: data.suggestion! }
      const before = (performance.now() - begun) / 1000
      return findSettings(run, { ...of, ...rows, model: baseModel, devSpec: given.dev }, before)
    }

    // 3. Training.
    await run.train(trainer)

    // 4. The model as it has become.
    await run.after(model)
    await run.removeCheckpoints(run.folder)
  })
}

const OWN_ARGUMENTS = {
  ...{ perDeviceTrainBatchSize: 32, learningRate: 2e-5, warmupSteps: 0.1 },
  ...{ saveStrategy: 'steps', saveSteps: 0.25, saveTotalLimit: 1 },
} satisfies PartialTrainingArguments
const EVALUATES = { evalStrategy: 'steps', evalSteps: 0.25 } satisfies PartialTrainingArguments

export const RECIPE: Recipe = {
  name: 'finetune',
  summary: 'Any data with any loss: the usual one for the columns, or the one that is named',
  options: FINETUNE_OPTIONS,
  run: finetune as Recipe['run'],
}
