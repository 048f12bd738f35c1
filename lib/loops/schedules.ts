import { invalidArgument } from '../errors.js'
import { checkInteger, checkOptions } from '../options.js'
import {
  makeSchedule,
  SCHEDULE_SETTINGS,
  type SchedulerKwargs,
  type SchedulerType,
} from '../training/arguments/schedule.js'
import { Optimizer } from './optimizer.js'

export interface ScheduleOptions {
  /** Steps of linear warm-up from 0. Default 0. */
  warmupSteps?: number
  /** Steps of the whole run. */
  totalSteps: number
}

/** Sets the rate of an optimizer, from the first step on; its rate when this is made is the peak. */
export class Schedule {
  readonly #optimizer: Optimizer
  readonly #peak: number
  readonly #factor: (step: number) => number
  #step = 1

  /** @internal */
  constructor(type: SchedulerType, optimizer: Optimizer, options: ScheduleOptions & SchedulerKwargs) {
    if (!(optimizer instanceof Optimizer)) throw invalidArgument('optimizer', 'an optimizer', optimizer)
    checkOptions(`the schedule ${type}`, options, ['warmupSteps', 'totalSteps', ...SCHEDULE_SETTINGS[type]])
    const { warmupSteps = 0, totalSteps, ...kwargs } = options
    checkInteger('warmupSteps', warmupSteps, 0)
    checkInteger('totalSteps', totalSteps ?? null, 1)
    this.#optimizer = optimizer
    this.#peak = optimizer.lr
    this.#factor = makeSchedule({ type, learningRate: this.#peak, warmupSteps, totalSteps, kwargs })
    this.#set()
  }

  /** The rate of the next step. */
  get lr(): number {
    return this.#optimizer.lr
  }

  /** Goes on to the rate of the next step: call it after each `optimizer.step()`. */
  step(): void {
    this.#step++
    this.#set()
  }

  #set(): void {
    this.#optimizer.lr = this.#peak * this.#factor(this.#step)
  }
}

type Settings<K extends keyof SchedulerKwargs = never> = ScheduleOptions & Pick<SchedulerKwargs, K>

const maker =
  <K extends keyof SchedulerKwargs = never>(type: SchedulerType) =>
  (optimizer: Optimizer, options: Settings<K>): Schedule =>
    new Schedule(type, optimizer, options)

// The Trainer's schedules, under the names of its argument `lrSchedulerType`. Source: transformers `optimization.py`.
export const linear = maker('linear')
export const cosine = maker<'numCycles'>('cosine')
export const cosineWithRestarts = maker<'numCycles'>('cosine_with_restarts')
export const polynomial = maker<'lrEnd' | 'power'>('polynomial')
export const constant = maker('constant')
export const constantWithWarmup = maker('constant_with_warmup')
export const inverseSqrt = maker<'timescale'>('inverse_sqrt')
export const cosineWithMinLr = maker<'numCycles' | 'minLr' | 'minLrRate'>('cosine_with_min_lr')
export const warmupStableDecay = maker<
  'numDecaySteps' | 'numStableSteps' | 'warmupType' | 'decayType' | 'minLrRatio' | 'numCycles'
>('warmup_stable_decay')
