import type { StepReport } from '../native/types.js'

/** As it stands in a checkpoint. */
export interface SavedMean {
  sum: number
  batches: number
  reported: boolean
}

/** Mean of the losses of many batches, from the means that reports bring. */
export class LossMean {
  /** Whether there was any report, be it without a finite loss. */
  reported = false
  #sum = 0
  #batches = 0

  add({ loss, batches }: Pick<StepReport, 'loss' | 'batches'>): void {
    this.reported = true
    if (batches === 0) return
    this.#sum += loss * batches
    this.#batches += batches
  }

  /** NaN without a finite loss. */
  get value(): number {
    return this.#sum / this.#batches
  }

  save(): SavedMean {
    return { sum: this.#sum, batches: this.#batches, reported: this.reported }
  }

  static restore({ sum, batches, reported }: SavedMean): LossMean {
    const mean = new LossMean()
    mean.#sum = sum
    mean.#batches = batches
    mean.reported = reported
    return mean
  }
}
