import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { SentenceTorchError } from '../errors.js'
import { recoverFolder } from '../io/atomic.js'
import type { TrainingArguments } from './arguments.js'
import type { CallbackState, LogRecord } from './callbacks.js'
import { decidingArguments, OWN_BLOCK, type OwnState } from './checkpoint.js'
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

/**
 * Reads `trainer_state.json`.
 * @param batchesPerEpoch of the training data now, where that is known
 * @throws ERR_NOT_FOUND, ERR_INVALID_FILE (a checkpoint of another program, or a damaged one), ERR_INVALID_ARGUMENT (one
 *   that was saved without the optimiser)
 */
export async function readCheckpoint(
  folder: string,
  args: Readonly<TrainingArguments>,
  batchesPerEpoch?: number,
): Promise<Checkpoint> {
  await recoverFolder(resolve(folder))
  const path = join(folder, 'trainer_state.json')
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error
    throw new SentenceTorchError('ERR_NOT_FOUND', `There is no checkpoint at ${folder}: ${path} is missing`)
  })
  const state = parse(text, path)
  const callbacks = (state.stateful_callbacks ?? {}) as Record<string, CallbackState>
  const own = callbacks[OWN_BLOCK] as OwnState | undefined
  if (own?.format !== 1) {
    throw new SentenceTorchError(
      'ERR_INVALID_FILE',
      `${path} has no entry "${OWN_BLOCK}" of format 1 in stateful_callbacks: training goes on only from checkpoints that this package wrote`,
    )
  }
  if (own.counters === undefined) {
    throw new SentenceTorchError(
      'ERR_INVALID_ARGUMENT',
      `${folder} was saved with saveOnlyModel: it has no state of the optimiser to go on from`,
    )
  }
  own.state.logHistory = (state.log_history as LogRecord[]).map(withNaN)
  own.callbacks = Object.fromEntries(Object.entries(callbacks).filter(([name]) => name !== OWN_BLOCK))
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

function parse(text: string, path: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>
  } catch (cause) {
    throw new SentenceTorchError('ERR_INVALID_FILE', `${path} is not JSON`, { cause })
  }
}

/** JSON has no NaN: it was written as null. */
function withNaN(record: Readonly<Record<string, number | null>>): LogRecord {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, value ?? Number.NaN]))
}
