import { checkOptions, ownCopy } from '../../options.js'
import type { AnyArgument } from './argument.js'
import { checkArguments } from './check-arguments.js'
import { PLANNED_ARGUMENTS } from './planned-arguments.js'
import { ARGUMENTS } from './table/index.js'
import type { PartialTrainingArguments, TrainingArguments } from './types.js'

export type { IntervalStrategy, SaveStrategy } from './strategies.js'
export type { PartialTrainingArguments, TrainingArguments } from './types.js'

/** The defaults, as sentence-transformers 6.2.0 with transformers 5.24 prints them. */
const DEFAULTS = Object.fromEntries(
  Object.entries(ARGUMENTS).map(([name, argument]) => [name, argument.default]),
) as unknown as TrainingArguments

/**
 * Checks what the caller gave and fills in the defaults. The result is frozen.
 *
 * @throws ERR_UNKNOWN_OPTION for a misspelt name, with the closest known one; ERR_NOT_IMPLEMENTED for an argument of
 *   sentence-transformers that is not built; ERR_INVALID_ARGUMENT for a value of the wrong type or range
 */
export function resolveArguments(given: PartialTrainingArguments = {}): Readonly<TrainingArguments> {
  checkOptions('args', given, Object.keys(DEFAULTS), PLANNED_ARGUMENTS)
  const present = Object.fromEntries(Object.entries(given).filter(([name, value]) => !isAbsent(name, value)))
  const args: TrainingArguments = { ...DEFAULTS, ...ownCopy(present) }
  if (present.evalSteps === undefined) args.evalSteps = args.loggingSteps
  checkArguments(args)
  // As TrainingArguments.__post_init__ does.
  if (args.loadBestModelAtEnd) args.metricForBestModel ??= 'loss'
  if (args.metricForBestModel !== null) args.greaterIsBetter ??= !args.metricForBestModel.endsWith('loss')
  return Object.freeze(args)
}

/** The arguments that decide the results of a run. Changing one in a resumed run changes its results. */
export function isDeciding(name: string): boolean {
  const table: Readonly<Record<string, AnyArgument>> = ARGUMENTS
  return !table[name]?.isFree
}

/** undefined, and the null that stands there for "as by default". */
function isAbsent(name: string, value: unknown): boolean {
  return value === undefined || (value === null && DEFAULTS[name as keyof TrainingArguments] !== null)
}
