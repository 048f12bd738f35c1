import type { TrainingArguments } from './arguments.js'
import { stepsOrRatio } from './schedule.js'

/** How many batches, steps and epochs a run has. */
export interface RunPlan {
  /** Training batches per epoch. */
  batchesPerEpoch: number
  /** Optimiser steps per epoch; the last may have fewer batches. */
  stepsPerEpoch: number
  maxSteps: number
  /** Epochs that are begun. */
  epochs: number
  warmupSteps: number
  /** What is due after optimiser step `step`. */
  dueAfterStep(step: number): Due
  dueAfterEpoch(): Due
}

export interface Due {
  log: boolean
  evaluate: boolean
  save: boolean
}

/** Lengths and intervals of a run. Source: transformers 5.18 `Trainer` and `DefaultFlowCallback`. */
export function planRun(args: Readonly<TrainingArguments>, batchesPerEpoch: number): RunPlan {
  // At least 1 also without any batch: the run then begins, and finds that there is nothing to do.
  const stepsPerEpoch = Math.max(1, Math.ceil(batchesPerEpoch / args.gradientAccumulationSteps))
  const maxSteps = args.maxSteps > 0 ? args.maxSteps : Math.ceil(args.numTrainEpochs * stepsPerEpoch)
  const loggingSteps = interval(args.loggingSteps, maxSteps)
  const evalSteps = interval(args.evalSteps, maxSteps)
  const saveSteps = interval(args.saveSteps, maxSteps)
  return {
    batchesPerEpoch,
    stepsPerEpoch,
    maxSteps,
    epochs: args.maxSteps > 0 ? Math.ceil(maxSteps / stepsPerEpoch) : Math.ceil(args.numTrainEpochs),
    // Not through `stepsOrRatio`: a ratio of 1 is the whole run, not one step.
    warmupSteps:
      args.warmupSteps > 0 ? stepsOrRatio(args.warmupSteps, maxSteps) : Math.ceil(maxSteps * args.warmupRatio),
    dueAfterStep: (step) => {
      const last = step >= maxSteps
      return {
        log: (args.loggingFirstStep && step === 1) || (args.loggingStrategy === 'steps' && step % loggingSteps === 0),
        evaluate: args.evalStrategy === 'steps' && (step % evalSteps === 0 || last),
        save: args.saveStrategy === 'steps' && (step % saveSteps === 0 || last),
      }
    },
    dueAfterEpoch: () => ({
      log: args.loggingStrategy === 'epoch',
      evaluate: args.evalStrategy === 'epoch',
      save: args.saveStrategy === 'epoch',
    }),
  }
}

function interval(value: number, maxSteps: number): number {
  return Math.max(1, stepsOrRatio(value, maxSteps))
}
