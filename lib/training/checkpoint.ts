import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { writeFileAtomic } from '../io/atomic.js'
import type { NativeTrainer } from '../native/types.js'
import type { TrainingArguments } from './arguments.js'
import { callbackStates } from './callback-list.js'
import type { TrainerCallback, TrainerState } from './callbacks.js'
import { dumpLossTensors, saveLossTensors } from './loss-tensors.js'

/** What a checkpoint is made from. */
export interface CheckpointParts {
  args: Readonly<TrainingArguments>
  native: Pick<NativeTrainer, 'tensors' | 'dump'>
  /** Writes the model's folder. */
  save(folder: string): Promise<void>
  /** What they keep is saved too. */
  callbacks?: readonly TrainerCallback[]
}

/**
 * Writes `checkpoint-N` in the output folder: a loadable model folder with `loss.safetensors`, where the loss owns
 * parameters, and `trainer_state.json` (the field names of transformers), which is written last: a folder that has it is
 * whole. It does not hold the optimiser yet: training cannot be resumed from it.
 *
 * @returns the folder
 */
export async function saveCheckpoint(
  { args, native, save, callbacks = [] }: CheckpointParts,
  state: Readonly<TrainerState>,
): Promise<string> {
  const folder = join(args.outputDir, `checkpoint-${state.globalStep}`)
  const statePath = join(folder, 'trainer_state.json')
  await rm(statePath, { force: true })
  await save(folder)
  await saveLossTensors(folder, await dumpLossTensors(native))
  const saved = {
    epoch: state.epoch,
    eval_steps: args.evalSteps,
    global_step: state.globalStep,
    log_history: state.logHistory,
    logging_steps: args.loggingSteps,
    max_steps: state.maxSteps,
    num_train_epochs: state.numTrainEpochs,
    save_steps: args.saveSteps,
    stateful_callbacks: callbackStates(callbacks),
    train_batch_size: args.perDeviceTrainBatchSize,
  }
  await writeFileAtomic(statePath, `${JSON.stringify(saved, null, 2)}\n`)
  return folder
}
