import { invalidArgument, SentenceTorchError } from '../errors.js'
import { signalOf } from '../io/abort.js'
import { METHODS, type MergeMethodName } from '../models/merging/methods.js'
import type { MergeParameters } from '../models/merging/parameters.js'
import { SentenceTransformer } from '../models/sentence-transformer.js'
import { needed, option, optionValues } from '../options/kinds.js'
import { checkOneOf, checkOptions, isPlainObject } from '../options.js'
import { type Measured, primaryNumbers } from './metrics.js'
import {
  COMMON,
  described,
  type Recipe,
  type RecipeContext,
  type RecipeOptions,
  type RecipeResult,
  type RecipeTable,
} from './recipe.js'
import type { RecipeRun } from './recipe-run.js'
import { runRecipe } from './run-recipe.js'

export interface MergingOptions extends RecipeOptions {
  /** The ancestor of the models: what task vectors are measured from. */
  model: string
  /** Models that were fine-tuned from it: folders or hub ids, at least two. */
  models: readonly string[]
  /** What to try. Default: all methods that fit the number of models. */
  methods?: readonly MergeMethodName[]
  /** Parameters by method: `{ ties: { density: 0.3 } }`. Default: those of each method. */
  parameters?: Readonly<Partial<Record<MergeMethodName, MergeParameters>>>
}

const NAMES = Object.keys(METHODS) as MergeMethodName[]

function names<T extends string>(least: number, expected: string, check: (name: string, value: unknown) => void) {
  return option<readonly T[], undefined>({
    ...{ type: 'readonly string[]', default: undefined, expected },
    check(name, value) {
      const isList = Array.isArray(value) && value.length >= least
      if (!isList) throw invalidArgument(name, expected, value)
      for (const [i, entry] of value.entries()) check(`${name}[${i}]`, entry)
    },
  })
}

function checkText(name: string, value: unknown): void {
  if (typeof value !== 'string' || value === '') throw invalidArgument(name, 'a folder or a hub id', value)
}

const OPTIONS = {
  ...COMMON,
  model: described(COMMON.model, 'The ancestor of the models: what task vectors are measured from'),
  models: described(
    needed(names<string>(2, 'a list of at least two folders or hub ids', checkText)),
    'Models that were fine-tuned from it',
  ),
  methods: described(
    names<MergeMethodName>(1, `a list of ${NAMES.join(', ')}`, (name, value) => checkOneOf(name, value, NAMES)),
    'What to try; without it all methods that fit the number of models',
  ),
  parameters: described(
    option<NonNullable<MergingOptions['parameters']>>({
      ...{ type: 'Readonly<Record<string, unknown>>', default: {}, expected: 'an object with parameters by method' },
      check(name, value) {
        checkOptions(name, value, NAMES)
        for (const [method, own] of Object.entries(value as object)) {
          if (!isPlainObject(own)) throw invalidArgument(`${name}.${method}`, 'an object', own)
        }
      },
    }),
    'Parameters by method, as in docs/merging.md',
  ),
} satisfies RecipeTable<MergingOptions>

/**
 * Fine-tuned models of one ancestor: they are merged by several methods, and the best on `dev` is kept.
 *
 * Papers: Wortsman et al. 2022, https://arxiv.org/abs/2203.05482 (linear); Ilharco et al. 2023, https://arxiv.org/abs/2212.04089 (task
 * arithmetic); Yadav et al. 2023, https://arxiv.org/abs/2306.01708 (TIES); Jang et al. 2024, https://arxiv.org/abs/2403.19522 (model
 * stock).
 */
export async function merging(options: MergingOptions, context: RecipeContext = {}): Promise<RecipeResult> {
  const given = optionValues('merging', options, OPTIONS)
  const methods = given.methods ?? NAMES.filter((name) => name !== 'slerp' || given.models.length === 2)
  checkPlan(given, methods)
  return runRecipe('merging', given, context, async (run) => {
    // 1. The ancestor, and each model by itself.
    await run.before(await run.loadModel())
    const rows: Row[] = []
    for (const source of given.models) rows.push(await measured(run, source, () => load(source, run)))

    // 2. Each merge.
    const merge = (method: MergeMethodName) => {
      const base = ['task_arithmetic', 'ties', 'model_stock'].includes(method) ? { baseModel: given.model } : {}
      const parameters = given.parameters[method] ?? {}
      return SentenceTransformer.merge(given.models, method, { ...base, parameters, ...signalOf(run) })
    }
    const merged: Row[] = []
    for (const method of methods) merged.push(await measured(run, method, () => merge(method)))

    // 3. The best on dev is kept, and measured on what decided nothing.
    await run.figure('merges', tableOf([...rows, ...merged]))
    const best = bestOf(merged)
    run.note(`Kept is ${best.name}, ${merged.length === 1 ? 'the only merge' : 'the best merge on dev'}.`)
    const model = await merge(best.name as MergeMethodName)
    try {
      await run.after(model)
    } finally {
      await model.dispose()
    }
  })
}

interface Row {
  name: string
  found: Measured
}

function checkPlan(
  { dev, args, parameters }: Omit<MergingOptions, 'methods'>,
  methods: readonly MergeMethodName[],
): void {
  const refuse = (message: string) => new SentenceTorchError('ERR_INVALID_ARGUMENT', `merging: ${message}`)
  if (Object.keys(args ?? {}).length > 0) throw refuse('args are for a training, and nothing is trained')
  if (methods.length > 1 && dev === undefined)
    throw refuse('dev is needed to choose among several methods; or name one')
  const idle = Object.keys(parameters ?? {}).find((name) => !methods.includes(name as MergeMethodName))
  if (idle !== undefined) throw refuse(`parameters.${idle} is for a method that is not tried: ${methods.join(', ')}`)
}

async function load(source: string, run: RecipeRun): Promise<SentenceTransformer> {
  return SentenceTransformer.load(source, signalOf(run))
}

async function measured(run: RecipeRun, name: string, make: () => Promise<SentenceTransformer>): Promise<Row> {
  const model = await make()
  try {
    const found = await run.measure(model)
    run.log(`${name}: ${primaryNumbers(found)}`)
    return { name, found }
  } finally {
    await model.dispose()
  }
}

function bestOf(rows: readonly Row[]): Row {
  const score = ({ found: { dev } }: Row) => (dev ? dev.metrics[dev.primaryMetric]! : 0)
  return rows.reduce((best, row) => (score(row) > score(best) ? row : best))
}

/** What each model reaches on dev and outside. Test is for the one that is kept. */
function tableOf(rows: readonly Row[]) {
  const roles = (['dev', 'outside'] as const).filter((role) => rows.some(({ found }) => found[role]))
  const cells = rows.map(({ name, found }) => {
    return [name, ...roles.map((role) => found[role]?.metrics[found[role].primaryMetric] ?? null)]
  })
  const columns = ['model', ...roles.map((role) => rows[0]!.found[role]!.primaryMetric)]
  return { kind: 'table' as const, title: 'Models and merges', columns, rows: cells }
}

export const RECIPE: Recipe = {
  name: 'merging',
  summary: 'Models that were fine-tuned from one ancestor: they are merged by several methods, and the best is kept',
  options: OPTIONS,
  run: merging,
}
