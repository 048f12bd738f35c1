// What both kinds of the old `fit` have in common.

import { join } from 'node:path'
import type { EvaluationContext, EvaluationResult } from '../../evaluation/evaluator.js'
import { primaryValue } from '../../evaluation/primary-value.js'
import type { SchedulerType } from '../arguments/schedule.js'
import { isImprovement } from '../callbacks/best-metric.js'
import type { TrainerCallback } from '../callbacks/callbacks.js'
import type { EvaluatorOf } from '../run/evaluator-choice.js'

/** The schedules of the old `fit`, by the trainer's names. */
export const SCHEDULERS = {
  ConstantLR: 'constant',
  WarmupConstant: 'constant_with_warmup',
  WarmupLinear: 'linear',
  WarmupCosine: 'cosine',
  WarmupCosineWithHardRestarts: 'cosine_with_restarts',
} as const satisfies Record<string, SchedulerType>

export interface FitEvaluationOptions {
  outputPath?: string
  saveBestModel?: boolean
  callback?: (score: number, epoch: number, steps: number) => void | Promise<void>
}

export type Evaluate = (context: EvaluationContext) => Promise<EvaluationResult>

/** Evaluates, saves the model if it is the best so far, and calls the callback. */
export function keepingBest<M extends { save(folder: string): Promise<void> }>(
  model: M,
  evaluator: EvaluatorOf<M>,
  { outputPath, saveBestModel = true, callback }: FitEvaluationOptions,
  greaterIsBetter = true,
): Evaluate {
  let best: number | null = null
  return async (context) => {
    const result = await evaluator.evaluate(model, context)
    const score = primaryValue(result)
    if (isImprovement(score, best, greaterIsBetter)) {
      best = score
      if (saveBestModel && outputPath !== undefined) await model.save(outputPath)
    }
    await callback?.(score, context.epoch ?? -1, context.steps ?? -1)
    return result
  }
}

/** Evaluates after every epoch. The evaluator's CSV files go to `outputPath/eval`. */
export function afterEpochs(evaluate: Evaluate | undefined, outputPath: string | undefined): TrainerCallback {
  return {
    onEpochEnd: async ({ state: { epoch, globalStep: steps } }) => {
      await evaluate?.({ epoch, steps, ...(outputPath !== undefined && { outputPath: join(outputPath, 'eval') }) })
    },
  }
}
