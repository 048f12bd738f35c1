import { SentenceTorchError } from '../../errors.js'
import { ProcessSignal, TrainingAbortedError, type TrainResult } from './result.js'
import type { TrainingRun } from './run.js'

const NO_BATCH =
  'The sampler makes no batch of trainDataset; a stream has to give its rows anew whenever its function is called'

/** The loop: while the engine computes one step, the next is tokenised, packed and handed over. */
export async function trainLoop(run: TrainingRun, signal?: AbortSignal): Promise<TrainResult> {
  await run.emit('onTrainBegin')
  await run.checkHealth()
  if (run.wantsEvaluationFirst) await run.evaluate()
  const start = run.position
  for (let epoch = start.epoch; run.wantsEpoch(epoch) && !signal?.aborted; epoch++) {
    // A resumed run begins in the middle of an epoch.
    let batches = epoch === start.epoch ? start.batches : 0
    await run.emit('onEpochBegin')
    if (!run.control.shouldEpochStop) {
      for await (const group of run.groups({ epoch, batches })) {
        await run.pause()
        if (signal?.aborted || run.isOver) break
        await run.emit('onStepBegin')
        batches += group.length
        const due = await run.step(group, { epoch, batches })
        if (run.asksFor(due)) {
          await run.settle()
          await run.meet(due)
        }
        if (run.isOver || run.control.shouldEpochStop) break
      }
    }
    await run.settle()
    if (signal?.aborted) break
    if (batches === 0 && !run.isOver) throw new SentenceTorchError('ERR_INVALID_DATA', NO_BATCH)
    run.control.shouldEpochStop = false
    await run.emit('onEpochEnd')
    run.position = { epoch: epoch + 1, batches: 0 }
    await run.meet(run.plan.dueAfterEpoch(run.state.epoch))
  }
  if (signal?.aborted) throw await run.aborted(signal.reason)
  const result = await run.finish()
  // The process shall end: nobody will save what was trained.
  if (signal?.reason instanceof ProcessSignal) throw await run.aborted(signal.reason)
  return result
}

/**
 * Trains until the end. No step is running afterwards, whatever happens.
 * @throws TrainingAbortedError when the signal fires, with a last checkpoint
 */
export async function trainOrAbort(run: TrainingRun, signal: AbortSignal | undefined): Promise<TrainResult> {
  try {
    return await trainLoop(run, signal)
  } catch (error) {
    if (error instanceof TrainingAbortedError || !signal?.aborted || !isAbort(error, signal)) {
      await run.abandon()
      throw error
    }
    // Whatever was waiting when the signal fired (tokenizer, evaluator) has thrown an error of its own. The step that runs
    // still counts: the last checkpoint has its weights.
    await run.settle()
    throw await run.aborted(signal.reason)
  }
}

function isAbort(error: unknown, signal: AbortSignal): boolean {
  return error === signal.reason || (error instanceof SentenceTorchError && error.code === 'ERR_ABORTED')
}
