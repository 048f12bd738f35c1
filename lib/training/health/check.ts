import type { StepReport } from '../../native/types.js'
import type { RunFacts } from './facts.js'
import type { TrainingWarning } from './warning.js'

/** Looks at a run before its first step. */
export type StartCheck = (facts: RunFacts) => TrainingWarning[] | Promise<TrainingWarning[]>

/** Looks at what the engine reports, step by step; keeps what it needs of earlier reports. */
export interface ReportCheck {
  observe(report: StepReport): TrainingWarning | undefined
}

/** Says whether something was so in a number of reports one after the other. */
export class Streak {
  readonly #length: number
  #count = 0

  constructor(length: number) {
    this.#length = length
  }

  /** @returns whether the streak is long enough now */
  add(isSo: boolean): boolean {
    this.#count = isSo ? this.#count + 1 : 0
    return this.#count >= this.#length
  }
}
