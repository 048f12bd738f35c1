import { SentenceTorchError } from '../../errors.js'
import type { TrainingArguments } from './arguments.js'
import { stepsOrRatio } from './schedule.js'

/** How many batches, steps and epochs a run has. */
export interface RunPlan {
  /** Training batches per epoch. */
  batchesPerEpoch: number
  /** Optimiser steps per epoch. The last one may have fewer batches. */
  stepsPerEpoch: number
  maxSteps: number
  /** Epochs that are begun, the last one perhaps not finished. */
  epochs: number
  warmupSteps: number
  loggingSteps: number
  evalSteps: number
  saveSteps: number
  /** Everything that is due after optimiser step `step`. */
  dueAfterStep(step: number): Due
  /** Everything that is due after an epoch. @param epoch passes over the data so far */
  dueAfterEpoch(epoch: number): Due
}

export interface Due {
  log: boolean
  evaluate: boolean
  save: boolean
}

/**
 * The lengths and intervals of a run. Source: transformers 5.24 `Trainer` and `DefaultFlowCallback`.
 * @param batches per epoch; undefined for a stream of unknown length
 * @throws ERR_INVALID_ARGUMENT for such a stream without `maxSteps`
 */
export function planRun(args: Readonly<TrainingArguments>, batches: number | undefined): RunPlan {
  if (batches === undefined && args.maxSteps === -1) {
    const message = 'maxSteps must be given: how many rows the stream in trainDataset has is unknown'
    throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
  }
  const batchesPerEpoch = batches ?? args.maxSteps * args.gradientAccumulationSteps
  // At least 1, even without any batch: the run then begins and finds nothing to do.
  const stepsPerEpoch = Math.max(1, Math.ceil(batchesPerEpoch / args.gradientAccumulationSteps))
  const maxSteps = args.maxSteps > 0 ? args.maxSteps : Math.ceil(args.numTrainEpochs * stepsPerEpoch)
  const loggingSteps = interval(args.loggingSteps, maxSteps)
  const evalSteps = interval(args.evalSteps, maxSteps)
  const saveSteps = interval(args.saveSteps, maxSteps)
  return {
    batchesPerEpoch,
    stepsPerEpoch,
    maxSteps,
    epochs: epochs(args, stepsPerEpoch, batches === undefined),
    // Without `stepsOrRatio` for the ratio: a ratio of 1 is the whole run, not one step.
    warmupSteps:
      args.warmupSteps > 0 ? stepsOrRatio(args.warmupSteps, maxSteps) : Math.ceil(maxSteps * args.warmupRatio),
    loggingSteps,
    evalSteps,
    saveSteps,
    dueAfterStep: (step) => {
      const last = step >= maxSteps
      const evaluates = args.evalStrategy === 'steps' && args.evalDelay <= step
      return {
        log: (args.loggingFirstStep && step === 1) || (args.loggingStrategy === 'steps' && step % loggingSteps === 0),
        evaluate: evaluates && (step % evalSteps === 0 || last),
        save: args.saveStrategy === 'steps' && (step % saveSteps === 0 || last),
      }
    },
    dueAfterEpoch: (epoch) => ({
      log: args.loggingStrategy === 'epoch',
      evaluate: args.evalStrategy === 'epoch' && args.evalDelay <= epoch,
      save: args.saveStrategy === 'epoch',
    }),
  }
}

function epochs(args: Readonly<TrainingArguments>, stepsPerEpoch: number, endless: boolean): number {
  if (args.maxSteps <= 0) return Math.ceil(args.numTrainEpochs)
  // A stream is read again as often as needed.
  return endless ? Number.MAX_SAFE_INTEGER : Math.ceil(args.maxSteps / stepsPerEpoch)
}

function interval(value: number, maxSteps: number): number {
  return Math.max(1, stepsOrRatio(value, maxSteps))
}
