/** `finetune` with a budget: what a search needs of a recipe, and what the recipe tells of the search. */
import { join } from 'node:path'
import type { Dataset } from '../../data/dataset.js'
import { isDataset } from '../../data/feed.js'
import { datasetSha256 } from '../../data/hash-dataset.js'
import { invalidArgument } from '../../errors.js'
import { writeFileAtomic } from '../../io/atomic.js'
import type { PartialTrainingArguments } from '../../training/index.js'
import { modelKey } from '../fingerprint.js'
import type { LossSpec } from '../make-loss.js'
import type { ModelKind, RecipeModel } from '../model-kind.js'
import { isEvaluator } from '../recipe.js'
import type { RecipeRun } from '../recipe-run.js'
import type { LossSuggestion } from '../suggest-loss.js'
import { durationText } from './duration.js'
import type { DevSource } from './parts.js'
import { type Found, search, settingsText } from './search.js'
import { ratesScatter, trialsTable } from './search-figures.js'
import { type Choices, DECIDED, type SearchSpace, spaceOf, type TrialSettings } from './space.js'

export interface FindOptions {
  kind: ModelKind
  model: string
  load: () => Promise<RecipeModel>
  train: Dataset
  dev: DevSource
  /** As the config has it, for what depends on it. */
  devSpec: unknown
  loss: LossSpec
  suggestion: LossSuggestion
  search: SearchSpace | undefined
  /** The recipe's own arguments, and those of the caller. */
  own: PartialTrainingArguments
  args: PartialTrainingArguments
  /** Seconds. */
  budget: number
  /** When the budget began, by `performance.now()`. */
  started: number
}

/** Seconds to end a run in beside its evaluations: the report, the figures of the data. */
const ENDING = 3
const ENDING_SHARE = 0.02

/** @throws ERR_INVALID_ARGUMENT for training arguments that a search decides */
export function checkSearchArguments(args: PartialTrainingArguments): void {
  const decided = Object.keys(args).find((name) => DECIDED.includes(name))
  if (decided === undefined) return
  throw invalidArgument(`training ${decided}`, 'nothing beside budget, which decides it,', (args as never)[decided])
}

/** Searches, leaves the best model as the run's, and writes its settings. @param before seconds that measuring the model took */
export async function findSettings(run: RecipeRun, options: FindOptions, before: number): Promise<void> {
  const { kind, load, train, dev, loss, suggestion, own, args, budget, started } = options
  const space = spaceOf(options.search, loss, suggestion, train.length)
  const reserve = 1.1 * before + ENDING + ENDING_SHARE * budget
  const inputs = {
    ...{ model: await modelKey(options.model), train: await datasetSha256(train), dev: jsonOf(options.devSpec) },
    ...{ seed: run.seed, args: { ...own, ...args } },
  }
  const found = await search({
    ...{ run, kind, train, load, dev, space, budget, inputs, args: { ...own, ...args } },
    first: firstSettings(space, loss, { ...own, numTrainEpochs: 1 }, options),
    left: () => budget - (performance.now() - started) / 1000 - reserve,
  })
  await tell(run, found, options)
  await run.after(found.model)
}

/** What the config itself says, or would do; of what only `search` names, the first or middle value. */
function firstSettings(
  { losses, choices }: ReturnType<typeof spaceOf>,
  loss: LossSpec,
  fallbacks: PartialTrainingArguments,
  { args, search: given = {} }: FindOptions,
): TrialSettings {
  const firstOf = (name: string, values: Choices): unknown => {
    const key = name as keyof PartialTrainingArguments
    if (args[key] !== undefined) return args[key]
    if (given[name] === undefined && fallbacks[key] !== undefined) return fallbacks[key]
    return 'min' in values ? Number(Math.sqrt(values.min * values.max).toPrecision(3)) : values[0]
  }
  const entries = Object.entries(choices).map(([name, values]) => [name, firstOf(name, values)])
  return { loss: losses.includes(loss) ? loss : losses[0]!, args: Object.fromEntries(entries) }
}

async function tell(run: RecipeRun, { best, trials, bf16 }: Found, { budget, dev, args }: FindOptions): Promise<void> {
  const trainings = trials.reduce((sum, { records }) => sum + records.length, 0)
  const last = best.records.at(-1)!
  const { loss, args: found } = best.settings
  run.count('trials', trials.length)
  run.count('trainings', trainings)
  run.note(
    `Within ${durationText(budget)}, the best on dev of ${trials.length} trials (${trainings} trainings) was trial ${best.number}: ` +
      `${settingsText(best.settings)}, ${last.steps} steps. Dev chose it, so that its number on dev is too good; test is not concerned.`,
  )
  if (bf16 !== undefined)
    run.note(
      `Trainings compute in bfloat16, ${bf16} times as fast here as float32; \`bf16: false\` in the training keeps float32.`,
    )
  // The length at which it was best, and not the one that it would have had with more time.
  const training = {
    ...args,
    ...found,
    ...(bf16 !== undefined && { bf16: true }),
    numTrainEpochs: Number(last.epochs.toPrecision(4)),
  }
  const { stringify } = await import('yaml')
  await writeFileAtomic(join(run.folder, 'settings.yaml'), stringify({ loss, training }))
  const metric = 'primary metric'
  await run.figure('search-1-trials', trialsTable(trials, best, metric))
  const scatter = ratesScatter(trials, metric)
  if (scatter) await run.figure('search-2-rates', scatter)
  if (dev.rows === undefined)
    run.note('Every training of the search was measured on all of dev, which cannot be divided.')
}

/** What a config says of dev. Evaluators and datasets of a program count as the same. */
function jsonOf(spec: unknown): string | undefined {
  if (isEvaluator(spec)) return 'an evaluator of the caller'
  return JSON.stringify(spec, (_, value) => (isDataset(value) ? `${value.length} rows of the caller` : value))
}
