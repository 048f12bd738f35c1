import type { DataSource } from '../../data/feed.js'
import { isSystemError, rescued } from '../../io/rescue.js'
import type { TrainableLoss } from '../batches/loss-set.js'
import type { CallbackContext, LogRecord, TrainerState } from '../callbacks/callbacks.js'
import { copyLossTensors, type LossTensors } from '../checkpoint/loss-tensors.js'
import { OutputFolder } from '../checkpoint/output-folder.js'
import { trainOrAbort } from './loop.js'
import { withRanks } from './ranked.js'
import { TrainingAbortedError, type TrainResult } from './result.js'
import { TrainerSession } from './session.js'
import type { SessionParts } from './session-parts.js'
import { untilSignal } from './signals.js'
import type { TrainableModel } from './trainable-model.js'

/** The trainer's memory after a training. */
export interface TrainerMemory {
  state: TrainerState
  /** The losses' own parameters after the last training. */
  lossTensors: LossTensors | undefined
}

type Parts<M extends TrainableModel, L extends TrainableLoss> = SessionParts<M, L> & { memory: TrainerMemory }
type TrainParts<M extends TrainableModel, L extends TrainableLoss> = Parts<M, L> & { resume: boolean | string | null }

/**
 * What `train()` does: with `handleSignals` until a signal to the process, together with the other processes that a launcher has
 * started, with the output folder locked.
 */
export async function train<M extends TrainableModel, L extends TrainableLoss>(
  parts: TrainParts<M, L>,
): Promise<TrainResult> {
  const begin = (given: TrainParts<M, L>) => withRanks(given, trainInFolder)
  if (!parts.args.handleSignals) return begin(parts)
  return untilSignal(parts.signal, (signal) => begin({ ...parts, signal }))
}

async function trainInFolder<M extends TrainableModel, L extends TrainableLoss>(
  parts: TrainParts<M, L>,
): Promise<TrainResult> {
  if (parts.ranks?.isMain === false) return trainInSession(parts)
  const output = await OutputFolder.open(parts.args, parts.signal)
  try {
    return await trainInSession({ ...parts, claim: () => output.claim() })
  } finally {
    await output.release()
  }
}

async function trainInSession<M extends TrainableModel, L extends TrainableLoss>(
  parts: TrainParts<M, L>,
): Promise<TrainResult> {
  const { memory, resume, signal } = parts
  let hasBegun = false
  try {
    return await inSession(parts, async (session) => {
      const run = await session.begin(resume)
      hasBegun = true
      memory.state = run.state
      try {
        const result = await trainOrAbort(run, signal)
        memory.lossTensors = copyLossTensors(result.lossTensors)
        return result
      } catch (error) {
        if (error instanceof TrainingAbortedError) memory.lossTensors = copyLossTensors(error.result.lossTensors)
        throw error
      }
    })
  } catch (error) {
    throw hasBegun ? await rescueModel(error, parts) : error
  }
}

/** What `evaluate()` does. */
export async function evaluate<M extends TrainableModel, L extends TrainableLoss>(
  parts: Parts<M, L>,
  evalDataset: DataSource | undefined,
  context: CallbackContext,
): Promise<LogRecord> {
  try {
    return await inSession(parts, (session) => session.evaluate(evalDataset, context))
  } catch (error) {
    throw await rescueModel(error, parts)
  }
}

async function inSession<M extends TrainableModel, L extends TrainableLoss, T>(
  parts: SessionParts<M, L>,
  work: (session: TrainerSession<M, L>) => Promise<T>,
): Promise<T> {
  const session = await TrainerSession.open(parts)
  try {
    return await work(session)
  } finally {
    await session.close()
  }
}

/**
 * Saves a trained model in a temporary folder when a file could not be written: a full disk is noticed by whatever writes first,
 * be it a checkpoint, an evaluator or the log.
 * @returns the error to be thrown
 */
async function rescueModel<M extends TrainableModel, L extends TrainableLoss>(
  error: unknown,
  { memory, model, args }: Parts<M, L>,
): Promise<unknown> {
  if (!isSystemError(error) || memory.state.globalStep === 0) return error
  return rescued(error, 'A file could not be written before the trained model was saved', (folder) => {
    return model.writeFiles(folder, args.outputDir)
  })
}
