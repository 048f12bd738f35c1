// The training loop: the second of the three files that a training step passes. Batches come from batches/source.ts and go to
// run/steps.ts.

import { SentenceTorchError } from '../../errors.js'
import { groupsAhead } from '../batches/source.js'
import { ProcessSignal, TrainingAbortedError, type TrainResult } from './result.js'
import type { TrainingRun } from './run.js'

const NO_BATCH =
  'The sampler makes no batch of trainDataset; a stream has to give its rows anew whenever its function is called'

/** While the engine computes one step, the next one is tokenised, packed and given to it. */
export async function trainLoop(run: TrainingRun, signal?: AbortSignal): Promise<TrainResult> {
  const { agreed, handler, plan, steps } = run
  const { train, args, timings } = run.parts
  const groupOptions = { size: args.gradientAccumulationSteps, most: plan.stepsPerEpoch }
  await run.begin()
  const start = steps.position
  for (let epoch = start.epoch; run.wantsEpoch(epoch) && !signal?.aborted; epoch++) {
    // A resumed run begins in the middle of an epoch.
    let batches = epoch === start.epoch ? start.batches : 0
    await handler.emit('onEpochBegin')
    if (!agreed.shouldEpochStop) {
      for await (const group of groupsAhead(train, { epoch, batches }, groupOptions, timings)) {
        await run.waitWhilePaused()
        if (signal?.aborted || run.isOver) break
        await handler.emit('onStepBegin')
        batches += group.length
        const due = await steps.submit(group, { epoch, batches })
        if (run.needsSettledSteps(due)) {
          await steps.settle()
          await run.logEvaluateSave(due)
        }
        if (run.isOver || agreed.shouldEpochStop) break
      }
    }
    await steps.settle()
    if (signal?.aborted) break
    if (batches === 0 && !run.isOver) throw new SentenceTorchError('ERR_INVALID_DATA', NO_BATCH)
    agreed.shouldEpochStop = false
    await handler.emit('onEpochEnd')
    steps.position = { epoch: epoch + 1, batches: 0 }
    await run.logEvaluateSave(plan.dueAfterEpoch(run.state.epoch))
  }
  if (signal?.aborted) throw await run.abort(signal.reason)
  const result = await run.finish()
  // The process is about to end, so nobody will save what was trained.
  if (signal?.reason instanceof ProcessSignal) throw await run.abort(signal.reason)
  return result
}

/**
 * Trains until the end. Afterwards no step is running, whatever happened.
 * @throws TrainingAbortedError when the signal fires, after a last checkpoint
 */
export async function trainOrAbort(run: TrainingRun, signal: AbortSignal | undefined): Promise<TrainResult> {
  try {
    return await trainLoop(run, signal)
  } catch (error) {
    if (error instanceof TrainingAbortedError || !signal?.aborted || !isAbort(error, signal)) {
      await run.steps.abandon()
      throw error
    }
    // Whatever was waiting when the signal fired (tokenizer, evaluator) has thrown an error of its own. The running step still
    // counts: the last checkpoint has its weights.
    await run.steps.settle()
    throw await run.abort(signal.reason)
  }
}

function isAbort(error: unknown, signal: AbortSignal): boolean {
  return error === signal.reason || (error instanceof SentenceTorchError && error.code === 'ERR_ABORTED')
}
