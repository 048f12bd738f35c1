/** `sentence-torch train`: a config becomes the options of its recipe. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SentenceTorchError } from '../errors.js'
import { differenceText, signed } from '../evaluation/bootstrap.js'
import { isPlainObject } from '../options.js'
import { RECIPES } from '../recipes/index.js'
import type { Recipe, RecipeMetric, RecipeResult } from '../recipes/recipe.js'
import type { ServedReport } from '../report/serve-report.js'
import { readLaunch } from '../training/distributed/launch.js'
import { numberOf, textOf, textsOf, UsageError, type Values } from './command.js'
import { readConfig } from './config.js'
import type { Io } from './io.js'
import { launch } from './launch.js'

export async function trainConfig(values: Values, io: Io): Promise<number> {
  const [path] = values.words as [string]
  const budget = textOf(values, 'budget')
  const config = await readConfig(
    path,
    [...textsOf(values, 'set'), ...(budget === undefined ? [] : [`budget=${budget}`])],
    RECIPES.map(({ name }) => name),
  )
  const recipe = RECIPES.find(({ name }) => name === config.recipe)!
  const { training, ...rest } = config.values
  const options: Record<string, unknown> = { ...rest, ...(training !== undefined && { args: training }) }
  const processes = numberOf(values, 'nproc') ?? 1
  const place = readLaunch()
  if ((place !== undefined || processes > 1) && options.budget !== undefined) {
    throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', '--budget with several processes is not built')
  }
  // The processes have the same arguments, and find their places in the variables.
  if (place === undefined && processes > 1) return launch(processes, process.argv.slice(2), io)
  if (place !== undefined && place.rank > 0) return trainBeside(recipe, options, io)
  if (values.options['skip-bad-rows']) options.train = skippingBadRows(options.train)
  const watched = await watch(values, String(options.outputDir), io)
  try {
    const result = await recipe.run(options, {
      signal: io.signal,
      log: (line) => io.err(`${line}\n`),
      progress: { write: (text: string) => io.err(text), isTTY: process.stderr.isTTY === true },
      config: config.text,
      resume: values.options.resume === true,
    })
    if (values.options.json) io.out(`${JSON.stringify(result, null, 2)}\n`)
    else io.out(shown(result))
    if (watched && values.options.stay) await untilStopped(watched.url, io)
    return 0
  } catch (error) {
    if (io.signal.aborted) io.err(howToGoOn(error, path, values, options.budget !== undefined))
    throw error
  } finally {
    await watched?.close()
  }
}

/**
 * The recipe on a process that is not the first: that one writes the run folder and measures the model, while this one has a folder that is
 * removed again. It keeps the dev evaluator, with which the first one measures in training: so both train in the same order.
 */
async function trainBeside(
  recipe: Recipe,
  { test, outside, ...options }: Record<string, unknown>,
  io: Io,
): Promise<number> {
  const outputDir = await mkdtemp(join(tmpdir(), 'sentence-torch-rank-'))
  try {
    await recipe.run({ ...options, outputDir }, { signal: io.signal })
    return 0
  } finally {
    await rm(outputDir, { recursive: true, force: true })
  }
}

/** The page that `--watch` asks for. Whatever is wrong with its port is told before anything is read. */
async function watch(values: Values, outputDir: string, io: Io): Promise<ServedReport | undefined> {
  const port = numberOf(values, 'watch')
  if (port === undefined) {
    if (values.options.stay) throw new UsageError('ERR_INVALID_ARGUMENT', '--stay is for --watch', 'train')
    return undefined
  }
  if (port > 65535)
    throw new UsageError('ERR_INVALID_ARGUMENT', `--watch takes a port up to 65535, not ${port}`, 'train')
  const { serveReport } = await import('../report/serve-report.js')
  const page = await serveReport(outputDir, { port })
  io.err(`${page.url} shows the training\n`)
  return page
}

/** A training that has ended well is no failure when the page is closed. */
async function untilStopped(url: string, { signal, err }: Io): Promise<void> {
  if (signal.aborted) return
  err(`${url} stays until Ctrl-C\n`)
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
}

/** The data of an option, with `skipBadRows`. */
function skippingBadRows(train: unknown): unknown {
  if (typeof train === 'string') return { path: train, skipBadRows: true }
  if (Array.isArray(train)) return train.map(skippingBadRows)
  if (!isPlainObject(train)) return train
  if (train.path !== undefined || train.hub !== undefined) return { ...train, skipBadRows: true }
  return Object.fromEntries(Object.entries(train).map(([name, data]) => [name, skippingBadRows(data)]))
}

/** @param isSearch whose trainings are kept, with and without a checkpoint of the one that was stopped */
function howToGoOn(error: unknown, path: string, values: Values, isSearch: boolean): string {
  const { checkpoint } = error as { checkpoint?: unknown }
  const hasCheckpoint = error instanceof SentenceTorchError && typeof checkpoint === 'string'
  if (!hasCheckpoint && !isSearch) return ''
  const set = textsOf(values, 'set').map((change) => ` --set ${quoted(change)}`)
  const budget = textOf(values, 'budget')
  const more = [...set, ...(budget === undefined ? [] : [` --budget ${quoted(budget)}`])].join('')
  const kept = isSearch ? 'the trainings that are done are kept' : `${checkpoint} was written`
  return `${kept}; go on with: npx sentence-torch train ${quoted(path)}${more} --resume\n`
}

function quoted(word: string): string {
  return /^[\w./=:@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}

function shown({ metrics, notes, model }: RecipeResult): string {
  const name = ({ data, name }: RecipeMetric) => (name.startsWith(`${data}_`) ? name : `${data}_${name}`)
  const width = Math.max(0, ...metrics.map((metric) => name(metric).length))
  const rows = metrics.map((metric) => {
    const { before, after, interval } = metric
    const difference = after - before
    const change = interval ? differenceText({ difference, ...interval }) : signed(difference)
    return `${name(metric).padEnd(width)}  ${before.toFixed(4)} → ${after.toFixed(4)}  ${change}`
  })
  return `${[...rows, ...notes, `The model is in ${model}`].join('\n')}\n`
}
