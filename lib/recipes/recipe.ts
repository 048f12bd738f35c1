/** What all recipes have in common: their options, what they are told beside them, and what comes out. */

import type { Dataset } from '../data/dataset.js'
import { isDataset } from '../data/feed.js'
import { invalidArgument } from '../errors.js'
import type { Evaluator } from '../evaluation/evaluator.js'
import { integer, type Kind, needed, type Option, option, text } from '../options/kinds.js'
import { isPlainObject } from '../options.js'
import type { RunMetric } from '../report/manifest.js'
import type { PartialTrainingArguments, ProgressOutput } from '../training/index.js'
import { checkDataSpec, type DataSpec } from './data-spec.js'
import { checkEvaluationSpec, type EvaluationSpec } from './evaluation-spec.js'

/** Rows: a Dataset, the path of a file that `Dataset.fromFile` reads, or more about the rows. */
export type DataOption = Dataset | DataSpec

/** What a model is measured with: an evaluator, or the data for one, such as `{ sts: 'dev.tsv' }`. */
export type EvaluatorOption = Evaluator | EvaluationSpec

/** What a recipe is told beside its options: nothing of it changes the result. */
export interface RecipeContext {
  /** Stops the recipe. What is complete stays, and the run folder says that it was interrupted. */
  signal?: AbortSignal
  /** Called with what the recipe does, line by line. */
  log?: (line: string) => void
  /** Where training shows its progress. Default: nowhere. */
  progress?: ProgressOutput | false
  /** The `config.yaml` of the run folder: its text, or an object. Default: the options. */
  config?: string | object
  /** Go on from the newest checkpoint in the run folder, if there is one. Default false. */
  resume?: boolean
}

/** The options that every recipe has. */
export interface RecipeOptions {
  /** The model to start from: a folder or a hub id. */
  model: string
  /** The run folder. The trained model is in `model` there. */
  outputDir: string
  /** Training arguments, laid over the recipe's own. `outputDir`, `loggingDir` and `seed` are the recipe's. */
  args?: PartialTrainingArguments
  /** Decides every random choice. Default 42. */
  seed?: number
  /** Measures the model before, during and after training. */
  dev?: EvaluatorOption
  /** Measures it before and after, on data that training and `dev` did not see. */
  test?: EvaluatorOption
  /** Measures it before and after on data of another domain: what it forgets. */
  outside?: EvaluatorOption
}

/** A number of the model before and after training, as the run folder has it. */
export type RecipeMetric = Omit<RunMetric, 'python'>

export interface RecipeResult {
  /** The run folder. */
  folder: string
  /** The folder of the trained model. */
  model: string
  metrics: RecipeMetric[]
  /** What should be known with the numbers, in sentences. */
  notes: string[]
  /** Numbers by name, such as rows that were left out. */
  counts: Record<string, number>
}

/** An option with what it means, in a sentence: for documentation and the schema of a config. */
export interface RecipeOption extends Kind {
  readonly doc: string
}

/** A recipe as the registry lists it. */
export interface Recipe {
  /** Its name in a config (`recipe: …`), and that of its function. */
  readonly name: string
  /** What one has when one takes it, and what it makes of that: one sentence. */
  readonly summary: string
  readonly options: Readonly<Record<string, RecipeOption>>
  /**
   * Runs it. The options are checked.
   * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION; ERR_INVALID_DATA; ERR_ABORTED; what training throws
   */
  run(options: object, context?: RecipeContext): Promise<RecipeResult>
}

/** The table of a recipe's options: every name of `O`, each with its kind and what it means. */
export type RecipeTable<O> = { readonly [K in keyof O]-?: Option<Exclude<O[K], undefined>, unknown> & RecipeOption }

/** An entry of such a table. */
export function described<T, D>(kind: Option<T, D>, doc: string): Option<T, D> & RecipeOption {
  return { ...kind, doc }
}

/** Rows of a table of texts. */
export function data<D>(fallback: D): Option<DataOption, D> {
  return option<DataOption, D>({
    type: 'DataOption',
    default: fallback,
    expected: 'a Dataset, the path of a file, or an object with path or hub',
    check(name, value) {
      if (!isDataset(value as DataOption)) checkDataSpec(value, name)
    },
  })
}

/** One or several of them. */
export function severalData<D>(fallback: D): Option<DataOption | readonly DataOption[], D> {
  const one = data(undefined)
  return option<DataOption | readonly DataOption[], D>({
    type: 'DataOption | readonly DataOption[]',
    default: fallback,
    expected: `${one.expected}, or several`,
    check: (name, value) => {
      if (!Array.isArray(value)) return one.check(name, value)
      if (value.length === 0) throw invalidArgument(name, 'at least one data set', value)
      for (const [i, entry] of value.entries()) one.check(`${name}[${i}]`, entry)
    },
  })
}

/** An evaluator. `E`: what a recipe takes that is for other models, too. */
export function evaluator<E = EvaluatorOption>(doc: string): Option<E, undefined> & RecipeOption {
  const kind = option<E, undefined>({
    type: 'EvaluatorOption',
    default: undefined,
    expected: 'an evaluator, or the data for one',
    check(name, value) {
      if (!isEvaluator(value)) checkEvaluationSpec(value, name)
    },
  })
  return described(kind, doc)
}

export function isEvaluator<E extends { evaluate: unknown } = Evaluator>(value: unknown): value is E {
  return typeof (value as Partial<Evaluator> | undefined)?.evaluate === 'function'
}

/** The part of a recipe's table that all have. */
export const COMMON = {
  model: described(needed(text(undefined, 'a folder or a hub id')), 'The model to start from'),
  outputDir: described(
    needed(text(undefined, 'the path of a folder')),
    'The run folder; the model is in `model` there',
  ),
  args: described(
    option<PartialTrainingArguments>({ type: 'object', default: {}, expected: 'an object', fits: isPlainObject }),
    "Training arguments, laid over the recipe's own",
  ),
  seed: described(integer(42, { least: 0 }), 'Decides every random choice'),
  dev: evaluator('Measures the model before, during and after training'),
  test: evaluator('Measures it before and after, on data that neither training nor `dev` saw'),
  outside: evaluator('Measures it before and after on another domain: what it forgets'),
} satisfies RecipeTable<RecipeOptions>
