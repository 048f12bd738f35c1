import type { Dataset } from '../data/dataset.js'
import { isDataset } from '../data/feed.js'
import { invalidArgument, SentenceTorchError } from '../errors.js'
import type { Evaluator } from '../evaluation/evaluator.js'
import type { Loss } from '../losses/loss.js'
import { SentenceTransformer } from '../models/sentence-transformer.js'
import { number, option, optionValues } from '../options/kinds.js'
import { isPlainObject } from '../options.js'
import { type PartialTrainingArguments, SentenceTransformerTrainer } from '../training/index.js'
import { checkDataSpec, DATA_OPTIONS } from './data-spec.js'
import { evaluatorOfRows, holdOut } from './held-out.js'
import { type LoadedData, loadData } from './load-data.js'
import { checkLossSpec, isLoss, type LossSpec, makeLoss } from './make-loss.js'
import {
  COMMON,
  type DataOption,
  described,
  type Recipe,
  type RecipeContext,
  type RecipeOptions,
  type RecipeResult,
  type RecipeTable,
} from './recipe.js'
import type { RecipeRun } from './recipe-run.js'
import { runRecipe } from './run-recipe.js'
import { type LossSuggestion, suggestLoss } from './suggest-loss.js'

/** One data set, or several by name. */
export type NamedData = DataOption | Readonly<Record<string, DataOption>>
/** One loss for all data sets, or one for each by name. */
export type NamedLoss = LossSpec | Loss | Readonly<Record<string, LossSpec | Loss>>

export interface FinetuneOptions extends RecipeOptions {
  train: NamedData
  /** Rows whose loss is measured during training. */
  eval?: NamedData
  /** Default: the usual one for the columns. */
  loss?: NamedLoss
  /** Share of the training rows that are held out: half measure the model during training, half before and after it. Default 0. */
  holdOut?: number
}

/** Whether an option of data is one data set, and not several by name. */
export function isOneDataset(value: unknown): value is DataOption {
  return !isPlainObject(value) || Object.keys(value).some((key) => Object.hasOwn(DATA_OPTIONS, key))
}

function checkNamedData(name: string, value: unknown): void {
  const entries = isOneDataset(value) ? [[name, value] as const] : Object.entries(value as object)
  if (entries.length === 0) throw invalidArgument(name, 'data, or several by name', value)
  for (const [key, data] of entries) {
    if (!isDataset(data as Dataset)) checkDataSpec(data, key === name ? name : `${name}.${key}`)
  }
}

function checkNamedLoss(name: string, value: unknown): void {
  const isOne = isLoss(value) || !isPlainObject(value) || value.name !== undefined
  const entries: [string, unknown][] = isOne ? [[name, value]] : Object.entries(value)
  for (const [key, loss] of entries) if (!isLoss(loss)) checkLossSpec(loss, isOne ? name : `${name}.${key}`)
}

const namedData = option<NamedData, undefined>({
  type: 'NamedData',
  default: undefined,
  expected: 'data, or several by name',
  check: checkNamedData,
})

const OPTIONS = {
  ...COMMON,
  train: described({ ...namedData, isNeeded: true }, 'Training rows: one data set, or several by name'),
  eval: described(namedData, 'Rows whose loss is measured during training: one data set, or several by name'),
  loss: described(
    option<NamedLoss, undefined>({ type: 'NamedLoss', default: undefined, expected: 'a loss', check: checkNamedLoss }),
    'The loss by its name, with its options, or one for each data set by name. Default: the usual one for the columns',
  ),
  holdOut: described(
    number(0, { least: 0, below: 1 }),
    'Share of the training rows that are held out: half measure the model during training, half before and after it',
  ),
} satisfies RecipeTable<FinetuneOptions>

/**
 * Any data with any loss: what `SentenceTransformerTrainer` does, with numbers before and after.
 * @throws ERR_INVALID_DATA where no loss is named and none is usual for the columns
 */
export async function finetune(options: FinetuneOptions, context: RecipeContext = {}): Promise<RecipeResult> {
  const given = optionValues('finetune', options, OPTIONS)
  const data = await prepare(given, context)
  const measured = { ...given, ...data.evaluators }
  const written = { config: { recipe: 'finetune', ...options }, ...context }
  return runRecipe('finetune', measured, written, async (run) => {
    // 1. Data and losses.
    for (const { name, rows, source, badRows } of data.train) {
      if (badRows > 0) run.count(name === '' ? 'badRows' : `badRows.${name}`, badRows)
      await run.data(rows, 'train', source)
    }
    for (const { rows, source } of data.eval) await run.data(rows, 'dev', source)
    if (data.note !== undefined) run.note(data.note)
    const loss = await lossOf(given.loss ?? data.suggestion!.loss, run)

    // 2. The model as it is.
    const model = await run.loadModel()
    await run.before(model)

    // 3. Training.
    const trainer = new SentenceTransformerTrainer({
      model,
      trainDataset: inTrainer(data.train),
      ...(data.eval.length > 0 && { evalDataset: inTrainer(data.eval) }),
      loss,
      ...run.training({ ...OWN_ARGUMENTS, ...batching(loss), ...(data.eval.length > 0 && EVALUATES) }),
    })
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

interface NamedRows {
  /** '' for one data set without a name. */
  name: string
  rows: Dataset
  source: string
  badRows: number
}

interface Prepared {
  train: NamedRows[]
  eval: NamedRows[]
  suggestion?: LossSuggestion
  evaluators: { dev?: Evaluator; test?: Evaluator }
  note?: string
}

/** Reads all data before anything is written. */
async function prepare(
  options: Omit<FinetuneOptions, 'train'> & { train?: NamedData },
  context: RecipeContext,
): Promise<Prepared> {
  const train = await named(options.train!, 'train', context)
  const evalRows = options.eval === undefined ? [] : await named(options.eval, 'eval', context)
  const [first] = train as [NamedRows]
  const needsKind = options.loss === undefined || (options.holdOut ?? 0) > 0
  if (needsKind && train.length > 1) {
    const message = 'finetune: several data sets need a loss by name, and dev or test in place of holdOut'
    throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
  }
  const prepared: Prepared = { train, eval: evalRows, evaluators: {} }
  if (!needsKind) return prepared
  const suggestion = suggestLoss(first.rows, first.source)
  prepared.suggestion = suggestion
  if (options.loss === undefined) context.log?.(`${suggestion.seen}: ${lossName(suggestion.loss)}`)
  const { holdOut: share = 0, seed = 42 } = options
  if (share === 0) return prepared
  const { rows: all } = first
  const parts = await holdOut(all, suggestion.kind, share, seed)
  train[0] = { ...first, rows: parts.train }
  for (const role of ['dev', 'test'] as const) {
    const evaluator =
      options[role] === undefined ? evaluatorOfRows(parts[role], suggestion.kind, role, seed, all) : undefined
    if (evaluator) prepared.evaluators[role] = evaluator
  }
  prepared.note =
    `${parts.dev.length + parts.test.length} of ${all.length} rows were held out: ${parts.dev.length} for dev, ` +
    `${parts.test.length} for test${prepared.evaluators.test || options.test ? '' : '; nothing measures pairs of classes on them'}.`
  return prepared
}

async function named(data: NamedData, where: string, { signal }: RecipeContext): Promise<NamedRows[]> {
  const load = async (name: string, one: DataOption, place: string): Promise<NamedRows> => {
    const { dataset, source, badRows }: LoadedData = await loadData(one, { where: place, signal })
    return { name, rows: dataset, source, badRows: badRows.count }
  }
  if (isOneDataset(data)) return [await load('', data, where)]
  const all: NamedRows[] = []
  for (const [name, one] of Object.entries(data)) all.push(await load(name, one, `${where}.${name}`))
  return all
}

function inTrainer(sets: readonly NamedRows[]): Dataset | Record<string, Dataset> {
  const [first] = sets as [NamedRows]
  return first.name === '' ? first.rows : Object.fromEntries(sets.map(({ name, rows }) => [name, rows]))
}

async function lossOf(choice: NamedLoss, run: RecipeRun): Promise<Loss | Record<string, Loss>> {
  const make = async (one: LossSpec | Loss, where: string) =>
    isLoss(one) ? one : makeLoss(one, where, (guide) => run.loadModel(() => SentenceTransformer.load(guide)))
  if (isLoss(choice) || typeof choice === 'string' || 'name' in choice) return make(choice as LossSpec | Loss, 'loss')
  const all: Record<string, Loss> = {}
  for (const [name, one] of Object.entries(choice)) all[name] = await make(one as LossSpec | Loss, `loss.${name}`)
  return all
}

/** The sampler that a loss for all data asks for. */
export function batching(loss: Loss | Record<string, Loss>): PartialTrainingArguments {
  if (!isLoss(loss)) return {}
  if (loss.type.startsWith('Batch')) return { batchSampler: 'group_by_label' }
  return loss.requirements.inBatchNegatives ? { batchSampler: 'no_duplicates' } : {}
}

export function lossName(loss: LossSpec): string {
  return typeof loss === 'string' ? loss : loss.name
}

export const RECIPE: Recipe = {
  name: 'finetune',
  summary: 'Any data with any loss: the usual one for the columns, or the one that is named',
  options: OPTIONS,
  run: finetune as Recipe['run'],
}
