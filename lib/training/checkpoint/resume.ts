import { join, resolve } from 'node:path'
import { fromNative, SentenceTorchError } from '../../errors.js'
import { recoverFolder } from '../../io/atomic.js'
import { isAbsent, readWhole } from '../../io/open-file.js'
import { failedTo } from '../../io/system-error.js'
import type { NativeTrainer } from '../../native/types.js'
import type { TrainingArguments } from '../arguments/arguments.js'
import type { LogRecord } from '../callbacks/callbacks.js'
import { decidingArguments, type OwnState } from './checkpoint.js'
import { loadLossTensors, readLossTensors } from './loss-tensors.js'
import { loadOptimizer } from './optimizer-tensors.js'
import { newestCheckpoint, recoverCheckpoints } from './rotation.js'
import { parseTrainerState } from './schema.js'

/** The `trainer_state.json` of a checkpoint. */
export interface Checkpoint {
  folder: string
  own: OwnState
  /** Arguments that differ from those of the checkpoint, for a warning. */
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

/** No run writes more than this, and it still fits into one JavaScript string. */
const MOST_BYTES = 256 * 1024 * 1024

/**
 * Reads `trainer_state.json`.
 * @param batchesPerEpoch of this run's training data, if known
 * @param processes that train together: with other numbers of rows in a batch, the position is that of the same row
 * @param byRank whether each of them reads rows of its own
 * @throws ERR_NOT_FOUND, ERR_INVALID_FILE (a damaged checkpoint, or one of another program), ERR_INVALID_ARGUMENT (a
 *   checkpoint without the optimiser), ERR_DISTRIBUTED (`byRank` with another number of processes), ERR_FILE_SYSTEM
 */
export async function readCheckpoint(
  folder: string,
  args: Readonly<TrainingArguments>,
  batchesPerEpoch?: number,
  processes = 1,
  byRank = false,
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
  let changed = [...new Set([...Object.keys(before), ...Object.keys(now)])].filter(
    (name) => JSON.stringify(before[name]) !== JSON.stringify(now[name]),
  )
  const processesBefore = own.batchRows === undefined ? 1 : own.batchRows / Number(before.perDeviceTrainBatchSize)
  if (byRank && own.position.batches > 0 && processesBefore !== processes) {
    throw new SentenceTorchError(
      'ERR_DISTRIBUTED',
      `${folder} was saved in the middle of an epoch by ${processesBefore} processes, each of which reads rows of its own (byRank): ` +
        `which rows are left is not known to ${processes}. A checkpoint of the end of an epoch goes on with any number`,
    )
  }
  if (own.batchRows !== undefined || processes > 1) {
    const rowsBefore = own.batchRows ?? Number(before.perDeviceTrainBatchSize)
    const rowsNow = args.perDeviceTrainBatchSize * processes
    if (rowsBefore === rowsNow) changed = changed.filter((name) => name !== 'perDeviceTrainBatchSize')
    else if (rowsBefore > 0) own.position.batches = Math.floor((own.position.batches * rowsBefore) / rowsNow)
  }
  // Another seed or batch size is among the arguments. Other data show in the number of batches.
  if (batchesPerEpoch !== undefined && own.batchesPerEpoch !== batchesPerEpoch) {
    changed.push(`batches of trainDataset (${batchesPerEpoch}, before ${own.batchesPerEpoch})`)
  }
  return { folder, own, changed }
}

/** The model and the engine's trainer, which receive a checkpoint's content. */
interface Receivers {
  model: { loadWeights(folder: string): Promise<void> }
  native: Pick<NativeTrainer, 'tensors' | 'load' | 'setCounters' | 'lossScaler' | 'setLossScaler'>
}

/**
 * Loads everything that a checkpoint holds besides `trainer_state.json`: weights, parameters of losses, state of the optimiser.
 * @throws ERR_NOT_FOUND, ERR_INVALID_FILE, ERR_INVALID_TENSORS
 */
export async function loadCheckpoint(
  { folder, own }: Checkpoint,
  receivers: Receivers,
  { compat }: Pick<TrainingArguments, 'compat'>,
): Promise<void> {
  const { native } = receivers
  await loadOptimizer(folder, native, compat !== null)
  try {
    await native.setCounters(own.counters!)
    // A run that goes on in another precision has no scaler, and one that begins with fp16 has a new one.
    if (own.lossScaler && (await native.lossScaler())) await native.setLossScaler(own.lossScaler)
  } catch (cause) {
    const { code, message } = cause as SentenceTorchError
    if (code !== 'ERR_INVALID_ARGUMENT') throw fromNative(cause, 'Trainer.setCounters')
    const text = `${folder} does not fit this trainer, counters in trainer_state.json: ${message}`
    throw new SentenceTorchError('ERR_INVALID_FILE', text, { cause })
  }
  await loadModelAndLosses(folder, receivers)
}

/** Loads the parameters of the losses and the weights of the model. The model comes last: where anything fails it stays as it was. */
export async function loadModelAndLosses(
  folder: string,
  { model, native }: { model: Receivers['model']; native: Pick<NativeTrainer, 'tensors' | 'load'> },
): Promise<void> {
  await loadLossTensors(native, await readLossTensors(folder))
  await model.loadWeights(folder)
}

/** NaN was written as null, because JSON has no NaN. */
function withNaN(record: Readonly<Record<string, number | null>>): LogRecord {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, value ?? Number.NaN]))
}
