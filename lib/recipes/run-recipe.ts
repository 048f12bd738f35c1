import { resolve } from 'node:path'
import { SentenceTorchError } from '../errors.js'
import type { Evaluator } from '../evaluation/evaluator.js'
import { resolveModel } from '../models/hub.js'
import { RunFolder } from '../report/run-folder.js'
import { resolveArguments } from '../training/arguments/arguments.js'
import { loadEvaluator } from './evaluation-spec.js'
import { type Evaluators, MEASURED, type MeasuredRole } from './metrics.js'
import type { RecipeEvaluator } from './model-kind.js'
import {
  type EvaluatorOption,
  isEvaluator,
  type RecipeContext,
  type RecipeOptions,
  type RecipeResult,
} from './recipe.js'
import { RecipeRun, trainingArguments } from './recipe-run.js'
import { machineFacts } from './run-facts.js'

/** Arguments that a recipe sets itself, and the option that decides them. */
const OWN_ARGUMENTS = { outputDir: 'outputDir', loggingDir: 'outputDir', seed: 'seed' } as const

/** Options of recipes that name a model. */
const MODEL_OPTIONS = ['model', 'teacher', 'crossEncoder'] as const

/**
 * Runs a recipe: makes the run folder, calls `work`, and writes the result; after an error or an abort, what happened.
 * @param options the common ones, checked
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION for training arguments, before anything is written; what `work` throws
 */
export async function runRecipe(
  name: string,
  options: RecipeOptions,
  context: RecipeContext,
  work: (run: RecipeRun) => Promise<void>,
): Promise<RecipeResult> {
  checkArguments(name, options)
  const evaluators = await evaluatorsOf(options, context.signal)
  const { model: baseModel, outputDir, seed = 42 } = options
  // A model that is not there must not cost the result of an earlier run in that folder, nor the stages before it is used.
  const sources = MODEL_OPTIONS.map((name) => (options as unknown as Record<string, unknown>)[name])
  for (const source of sources) {
    if (typeof source === 'string') await resolveModel(source, { signal: context.signal })
  }
  const manifest = { recipe: name, baseModel, seeds: { seed }, ...machineFacts() }
  const { config = { recipe: name, ...options }, resume = false } = context
  const folder = await RunFolder.create(outputDir, { config, manifest, resume })
  const run = new RecipeRun(folder, options, context, evaluators)
  try {
    await work(run)
    return await run.finish()
  } catch (error) {
    await folder.finish(context.signal?.aborted ? 'interrupted' : 'failed', messageOf(error)).catch(() => {})
    throw error
  } finally {
    await run.dispose()
  }
}

/** The evaluators that the options mean. Their data are read before anything is written. */
async function evaluatorsOf(options: RecipeOptions, signal: AbortSignal | undefined): Promise<Evaluators> {
  const evaluators: Partial<Record<MeasuredRole, RecipeEvaluator>> = {}
  for (const role of MEASURED) {
    const given = options[role]
    if (given === undefined) continue
    evaluators[role] = await evaluatorOf(role, given, signal)
  }
  return evaluators
}

/** The evaluator that an option means. @throws as `loadEvaluator` */
export async function evaluatorOf(
  role: MeasuredRole,
  given: EvaluatorOption,
  signal: AbortSignal | undefined,
): Promise<Evaluator> {
  return isEvaluator(given) ? given : loadEvaluator({ name: role, ...given }, { where: role, signal })
}

function checkArguments(name: string, options: RecipeOptions): void {
  for (const [argument, decides] of Object.entries(OWN_ARGUMENTS)) {
    if (options.args === undefined || !Object.hasOwn(options.args, argument)) continue
    const message = `${name} args: ${argument} follows the option ${decides} of the recipe`
    throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
  }
  // A misspelt argument is refused now, and not when the model was loaded and measured.
  resolveArguments(trainingArguments(options, {}, resolve(options.outputDir)))
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
