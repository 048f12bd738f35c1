/**
 * The table of training arguments: all that is known of each. Checks and defaults are made of it, and `npm run docs` writes
 * `../types.ts` and the tables of docs/training.md from it.
 */
import type { Argument } from '../argument.js'
import type { TrainingArguments } from '../types.js'
import { LENGTH_AND_BATCHES } from './batches.js'
import { OPTIMIZER_AND_SCHEDULE, PRECISION_AND_MEMORY } from './optimizer.js'
import { PROCESSES } from './processes.js'
import { EVALUATION_AND_CHECKPOINTS, LOGGING, SEEDS } from './records.js'

/** By the titles that docs/training.md has for them. */
export const ARGUMENT_GROUPS = {
  'Length and batches': LENGTH_AND_BATCHES,
  'Optimiser and schedule': OPTIMIZER_AND_SCHEDULE,
  'Precision and memory': PRECISION_AND_MEMORY,
  Logging: LOGGING,
  'Evaluation, checkpoints, best model': EVALUATION_AND_CHECKPOINTS,
  Seeds: SEEDS,
  'Several processes': PROCESSES,
}

/** Checks that each entry has the type that the interface states. */
type ArgumentTable = { readonly [K in keyof TrainingArguments]: Argument<TrainingArguments[K]> }

export const ARGUMENTS = {
  ...LENGTH_AND_BATCHES,
  ...OPTIMIZER_AND_SCHEDULE,
  ...PRECISION_AND_MEMORY,
  ...LOGGING,
  ...EVALUATION_AND_CHECKPOINTS,
  ...SEEDS,
  ...PROCESSES,
} satisfies ArgumentTable
