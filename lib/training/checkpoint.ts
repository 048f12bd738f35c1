import { join } from 'node:path'
import { writeFileAtomic } from '../io/atomic.js'
import type { TrainingArguments } from './arguments.js'
import type { TrainerState } from './callbacks.js'

/**
 * Writes `checkpoint-N` in the output folder: a loadable model folder with `trainer_state.json` (the field names of
 * transformers). It does not hold the optimiser yet: training cannot be resumed from it.
 *
 * @returns the folder
 */
export async function saveCheckpoint(
  model: { save(folder: string): Promise<void> },
  args: Readonly<TrainingArguments>,
  state: Readonly<TrainerState>,
): Promise<string> {
  const folder = join(args.outputDir, `checkpoint-${state.globalStep}`)
  await model.save(folder)
  const saved = {
    epoch: state.epoch,
    eval_steps: args.evalSteps,
    global_step: state.globalStep,
    log_history: state.logHistory,
    logging_steps: args.loggingSteps,
    max_steps: state.maxSteps,
    num_train_epochs: state.numTrainEpochs,
    save_steps: args.saveSteps,
    train_batch_size: args.perDeviceTrainBatchSize,
  }
  await writeFileAtomic(join(folder, 'trainer_state.json'), `${JSON.stringify(saved, null, 2)}\n`)
  return folder
}
