import { join, resolve } from 'node:path'
import { SentenceTorchError } from '../errors.js'
import { recoverFolder } from '../io/atomic.js'
import { isAbsent, readWhole } from '../io/open-file.js'
import { failedTo } from '../io/system-error.js'
import type { TrainingArguments } from './arguments.js'
import type { LogRecord } from './callbacks.js'
import { decidingArguments, type OwnState } from './checkpoint.js'
import { parseTrainerState } from './checkpoint-schema.js'
import { newestCheckpoint, recoverCheckpoints } from './rotation.js'

/** A checkpoint that was read. */
export interface Checkpoint {
  folder: string
  own: OwnState
  /** Arguments of this run that differ from those of the checkpoint's, for a warning. */
  changed: string[]
}

/**
 * The folder of the checkpoint to go on from; undefined for none.
 * @param choice true: the newest in `outputDir`
 * @throws ERR_NOT_FOUND when there is none
 */
export async function checkpointFolder(
  choice: boolean | string | null,
  outputDir: string,
): Promise<string | undefined> {
  if (typeof choice === 'string') return choice
  if (choice !== true) return undefined
  await recoverCheckpoints(outputDir)
  return newestCheckpoint(outputDir)
}

/** More than any run writes, and few enough for one text of JavaScript. */
const MOST_BYTES = 256 * 1024 * 1024

/**
 * Reads `trainer_state.json`.
 * @param batchesPerEpoch of the training data now, where that is known
 * @throws ERR_NOT_FOUND, ERR_INVALID_FILE (a checkpoint of another program, or a damaged one), ERR_INVALID_ARGUMENT (one
 *   that was saved without the optimiser), ERR_FILE_SYSTEM
 */
export async function readCheckpoint(
  folder: string,
  args: Readonly<TrainingArguments>,
  batchesPerEpoch?: number,
): Promise<Checkpoint> {
  const path = join(folder, 'trainer_state.json')
  await recoverFolder(resolve(folder)).catch(failedTo(`put right ${folder}`))
  const bytes = await readWhole(path, MOST_BYTES, 'ERR_INVALID_FILE').catch((error: unknown) => {
    if (!isAbsent(error)) throw error
    throw new SentenceTorchError('ERR_NOT_FOUND', `There is no checkpoint at ${folder}: ${path} is missing`)
  })
  const saved = parseTrainerState(bytes, path)
  if (saved.own.counters === undefined) {
    throw new SentenceTorchError(
      'ERR_INVALID_ARGUMENT',
      `${folder} was saved with saveOnlyModel: it has no state of the optimiser to go on from`,
    )
  }
  const own: OwnState = {
    ...saved.own,
    state: { ...saved.own.state, logHistory: saved.logHistory.map(withNaN) },
    callbacks: saved.callbacks,
  }
  const before = own.args
  const now = decidingArguments(args)
  const changed = [...new Set([...Object.keys(before), ...Object.keys(now)])].filter(
    (name) => JSON.stringify(before[name]) !== JSON.stringify(now[name]),
  )
  // Another seed or batch size is named already; other data show here.
  if (batchesPerEpoch !== undefined && own.batchesPerEpoch !== batchesPerEpoch) {
    changed.push(`batches of trainDataset (${batchesPerEpoch}, before ${own.batchesPerEpoch})`)
  }
  return { folder, own, changed }
}

/** JSON has no NaN: it was written as null. */
function withNaN(record: Readonly<Record<string, number | null>>): LogRecord {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, value ?? Number.NaN]))
}
