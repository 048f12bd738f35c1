import type { StepReport } from '../native/types.js'

/** Mean of the losses of many batches, from the means that reports bring. */
export class LossMean {
  /** Whether there was any report, be it without a finite loss. */
  reported = false
  #sum = 0
  #batches = 0

  add({ loss, batches }: StepReport): void {
    this.reported = true
    if (batches === 0) return
    this.#sum += loss * batches
    this.#batches += batches
  }

  /** NaN without a finite loss. */
  get value(): number {
    return this.#sum / this.#batches
  }
}
