import type { StepReport } from '../../native/types.js'
import type { RunFacts } from './facts.js'
import type { TrainingWarning } from './warning.js'

/** Checks a run before its first step. */
export type StartCheck = (facts: RunFacts) => TrainingWarning[] | Promise<TrainingWarning[]>

/** Checks the engine's reports, and remembers earlier ones as needed. */
export interface ReportCheck {
  observe(report: StepReport): TrainingWarning | undefined
}

/** Detects that something was true in several reports in a row. */
export class Streak {
  readonly #length: number
  #count = 0

  constructor(length: number) {
    this.#length = length
  }

  /** @returns whether it was true in enough reports in a row */
  add(isTrue: boolean): boolean {
    this.#count = isTrue ? this.#count + 1 : 0
    return this.#count >= this.#length
  }
}
