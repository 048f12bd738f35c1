export const SCHEDULER_TYPES = ['linear', 'constant', 'constant_with_warmup', 'cosine'] as const
export type SchedulerType = (typeof SCHEDULER_TYPES)[number]

export interface ScheduleOptions {
  type: SchedulerType
  learningRate: number
  /** Optimiser steps of linear warm-up, a whole number. */
  warmupSteps: number
  /** Optimiser steps of the whole run. */
  totalSteps: number
}

/**
 * The learning rate used in optimiser step `step` (the first is 1). With i = step − 1 the rate is
 * `learningRate · factor(i)`, so a warm-up starts with a step of rate 0, as in transformers.
 *
 * - warm-up (all but `constant`): i / W for i < W
 * - `linear`: (N − i) / (N − W), `cosine`: ½ (1 + cos π (i − W) / (N − W)), `constant_with_warmup`: 1
 *
 * Source: transformers `get_scheduler`.
 */
export function makeSchedule(options: ScheduleOptions): (step: number) => number {
  const { type, learningRate, warmupSteps, totalSteps } = options
  const rest = Math.max(1, totalSteps - warmupSteps)
  const factor = (i: number): number => {
    if (type === 'constant') return 1
    if (i < warmupSteps) return i / Math.max(1, warmupSteps)
    if (type === 'constant_with_warmup') return 1
    if (type === 'linear') return Math.max(0, (totalSteps - i) / rest)
    return Math.max(0, 0.5 * (1 + Math.cos(Math.PI * ((i - warmupSteps) / rest))))
  }
  return (step) => learningRate * factor(step - 1)
}

/** A count given as such (1 or more), or as a ratio of `totalSteps` (below 1, rounded up). */
export function stepsOrRatio(value: number, totalSteps: number): number {
  return value >= 1 ? Math.trunc(value) : Math.ceil(totalSteps * value)
}
