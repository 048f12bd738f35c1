import { invalidArgument, SentenceTorchError } from '../../errors.js'
import { checkOneOf, checkOptions } from '../../options.js'

export const SCHEDULER_TYPES = [
  ...(['linear', 'cosine', 'cosine_with_restarts', 'polynomial', 'constant', 'constant_with_warmup'] as const),
  ...(['inverse_sqrt', 'cosine_with_min_lr', 'cosine_warmup_with_min_lr', 'warmup_stable_decay'] as const),
] as const
export type SchedulerType = (typeof SCHEDULER_TYPES)[number]

/** Settings of schedules. Each schedule has some of them. */
export interface SchedulerKwargs {
  /** Waves of the cosine schedules (default ½), or restarts of `cosine_with_restarts` (default 1). */
  numCycles?: number
  /** `polynomial`: the last rate. Default 1e-7. */
  lrEnd?: number
  /** `polynomial`: default 1. */
  power?: number
  /** `inverse_sqrt`: default the steps of the warm-up, or 10,000 without warm-up. */
  timescale?: number
  /** `…_with_min_lr`: the lowest rate, or its share of the peak. Exactly one of the two is needed. */
  minLr?: number
  minLrRate?: number
  /** `cosine_warmup_with_min_lr`: share of the peak at which the warm-up starts. */
  warmupLrRate?: number
  /** `warmup_stable_decay`: needed. */
  numDecaySteps?: number
  /** `warmup_stable_decay`: default: all other steps. */
  numStableSteps?: number
  /** `warmup_stable_decay`: default linear. */
  warmupType?: 'linear' | 'cosine' | '1-sqrt'
  /** `warmup_stable_decay`: default cosine. */
  decayType?: 'linear' | 'cosine' | '1-sqrt'
  /** `warmup_stable_decay`: share of the peak that is the lowest rate. Default 0. */
  minLrRatio?: number
}

export interface ScheduleOptions {
  type: SchedulerType
  learningRate: number
  /** Optimiser steps of linear warm-up, a whole number. */
  warmupSteps: number
  /** Optimiser steps of the whole run. */
  totalSteps: number
  kwargs?: SchedulerKwargs
}

type Factor = (i: number) => number
type Make = (options: { rate: number; warmup: number; total: number; kwargs: SchedulerKwargs }) => Factor

/** The settings that each schedule has. */
export const SCHEDULE_SETTINGS: Record<SchedulerType, readonly (keyof SchedulerKwargs)[]> = {
  linear: [],
  cosine: ['numCycles'],
  cosine_with_restarts: ['numCycles'],
  polynomial: ['lrEnd', 'power'],
  constant: [],
  constant_with_warmup: [],
  inverse_sqrt: ['timescale'],
  cosine_with_min_lr: ['numCycles', 'minLr', 'minLrRate'],
  cosine_warmup_with_min_lr: ['numCycles', 'minLr', 'minLrRate', 'warmupLrRate'],
  warmup_stable_decay: ['numDecaySteps', 'numStableSteps', 'warmupType', 'decayType', 'minLrRatio', 'numCycles'],
}

/** The factor in step i. `warmed` schedules begin with a linear warm-up: i / W for i < W. Source: transformers `optimization.py`. */
const factors: Record<SchedulerType, Make> = {
  constant: () => () => 1,
  constant_with_warmup: warmed(() => () => 1),
  linear: warmed(
    ({ warmup, total }) =>
      (i) =>
        Math.max(0, (total - i) / Math.max(1, total - warmup)),
  ),
  cosine: warmed(({ warmup, total, kwargs: { numCycles = 0.5 } }) => (i) => {
    return Math.max(0, wave(numCycles * 2 * progress(i, warmup, total)))
  }),
  cosine_with_restarts: warmed(({ warmup, total, kwargs: { numCycles = 1 } }) => (i) => {
    const done = progress(i, warmup, total)
    return done >= 1 ? 0 : Math.max(0, wave((numCycles * done) % 1))
  }),
  polynomial: warmed(({ rate, warmup, total, kwargs: { lrEnd = 1e-7, power = 1 } }) => {
    if (!(rate > lrEnd)) throw invalidArgument('lrSchedulerKwargs.lrEnd', 'a rate below learningRate', lrEnd)
    return (i) => {
      if (i > total) return lrEnd / rate
      return ((rate - lrEnd) * (1 - (i - warmup) / (total - warmup)) ** power + lrEnd) / rate
    }
  }),
  inverse_sqrt: warmed(({ warmup, kwargs: { timescale = warmup || 10_000 } }) => (i) => {
    return 1 / Math.sqrt((i + timescale - warmup) / timescale)
  }),
  cosine_with_min_lr: warmed(({ rate, warmup, total, kwargs }) => {
    const least = minRate(kwargs, rate)
    return (i) => {
      const factor = wave((kwargs.numCycles ?? 0.5) * 2 * progress(i, warmup, total))
      return Math.max(0, factor * (1 - least) + least)
    }
  }),
  cosine_warmup_with_min_lr: ({ rate, warmup, total, kwargs }) => {
    const least = minRate(kwargs, rate)
    const { warmupLrRate: first, numCycles = 0.5 } = kwargs
    return (i) => {
      if (i < warmup) {
        return first === undefined ? (i + 1) / Math.max(1, warmup) : first + ((1 - first) * i) / Math.max(1, warmup - 1)
      }
      const factor = wave(numCycles * 2 * ((i - warmup + 1) / Math.max(1, total - warmup)))
      return Math.max(0, factor * (1 - least) + least)
    }
  },
  warmup_stable_decay: ({ warmup, total, kwargs }) => {
    const {
      numDecaySteps: decay,
      warmupType = 'linear',
      decayType = 'cosine',
      minLrRatio = 0,
      numCycles = 0.5,
    } = kwargs
    if (decay === undefined) throw invalidArgument('lrSchedulerKwargs.numDecaySteps', 'a number of steps', decay)
    const stable = kwargs.numStableSteps ?? total - warmup - decay
    const rise = {
      linear: (x: number) => x,
      cosine: (x: number) => 1 - wave(x),
      '1-sqrt': (x: number) => 1 - Math.sqrt(1 - x),
    }
    const fall = {
      linear: (x: number) => 1 - x,
      cosine: (x: number) => wave(numCycles * 2 * x),
      '1-sqrt': (x: number) => 1 - Math.sqrt(x),
    }
    const above = (factor: number) => Math.max(0, factor * (1 - minLrRatio) + minLrRatio)
    return (i) => {
      if (i < warmup) return above(rise[warmupType](i / Math.max(1, warmup)))
      if (i < warmup + stable) return 1
      if (i < warmup + stable + decay) return above(fall[decayType]((i - warmup - stable) / Math.max(1, decay)))
      return minLrRatio
    }
  },
}

/**
 * The factor of all learning rates by optimiser step; the first step is 1. It is the factor of transformers' scheduler at
 * i = step − 1, so a warm-up begins with a step of rate 0. Source: transformers `get_scheduler`.
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export function makeSchedule(options: ScheduleOptions): (step: number) => number {
  const { type, learningRate: rate, warmupSteps: warmup, totalSteps: total, kwargs = {} } = options
  checkOptions(`lrSchedulerKwargs of ${type}`, kwargs, SCHEDULE_SETTINGS[type])
  for (const [name, value] of Object.entries(kwargs)) {
    if (name === 'warmupType' || name === 'decayType') checkOneOf(name, value, ['linear', 'cosine', '1-sqrt'])
    else if (value !== undefined && !Number.isFinite(value)) {
      throw invalidArgument(`lrSchedulerKwargs.${name}`, 'a finite number', value)
    }
  }
  const factor = factors[type]({ rate, warmup, total, kwargs })
  return (step) => factor(step - 1)
}

/** The number of steps that `value` stands for: a count (1 or more), or a share of `totalSteps` (below 1, rounded up). */
export function stepsOrRatio(value: number, totalSteps: number): number {
  return value >= 1 ? Math.trunc(value) : Math.ceil(totalSteps * value)
}

function warmed(make: Make): Make {
  return (options) => {
    const after = make(options)
    const { warmup } = options
    return (i) => (i < warmup ? i / Math.max(1, warmup) : after(i))
  }
}

function progress(i: number, warmup: number, total: number): number {
  return (i - warmup) / Math.max(1, total - warmup)
}

/** From 1 at 0 to 0 at 1. */
function wave(x: number): number {
  return 0.5 * (1 + Math.cos(Math.PI * x))
}

function minRate({ minLr, minLrRate }: SchedulerKwargs, rate: number): number {
  if ((minLr === undefined) === (minLrRate === undefined)) {
    throw new SentenceTorchError('ERR_INVALID_ARGUMENT', 'lrSchedulerKwargs needs exactly one of minLr and minLrRate')
  }
  return minLrRate ?? minLr! / rate
}
