import type { AnyArgument } from '../arguments/argument.js'
import { ARGUMENTS } from '../arguments/table/index.js'
import type { TrainingArguments } from '../arguments/types.js'
import { snakeCase } from './loss-facts.js'

/** Arguments that say nothing of the model. Source: `BaseModelCardCallback.on_train_begin`. */
const IGNORED: readonly string[] = [
  ...['outputDir', 'loggingDir', 'loggingStrategy', 'loggingFirstStep', 'loggingSteps', 'evalStrategy', 'evalSteps'],
  ...['evalDelay', 'saveStrategy', 'saveSteps', 'saveTotalLimit', 'metricForBestModel', 'greaterIsBetter', 'reportTo'],
  // An address may hold a password, and cards are published.
  ...['runName', 'mlflowTrackingUri'],
]

/** The arguments of a training by their names in sentence-transformers: all, and those that are not the defaults. */
export function hyperparameters(args: Readonly<TrainingArguments>): {
  all: Record<string, unknown>
  nonDefault: Record<string, unknown>
} {
  const table: Readonly<Record<string, AnyArgument>> = ARGUMENTS
  const entries = Object.entries(args).filter(([name]) => !IGNORED.includes(name) && table[name] !== undefined)
  const named = (list: typeof entries) =>
    Object.fromEntries(list.map(([name, value]) => [table[name]!.python ?? snakeCase(name), shown(value)]))
  const isChanged = ([name, value]: [string, unknown]) => !isSame(value, table[name]!.default)
  return { all: named(entries), nonDefault: named(entries.filter(isChanged)) }
}

function isSame(a: unknown, b: unknown): boolean {
  return Object.is(a, b) || JSON.stringify(a) === JSON.stringify(b)
}

function shown(value: unknown): unknown {
  return value instanceof RegExp || typeof value === 'function' ? String(value) : value
}
