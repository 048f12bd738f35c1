/** A mean in a checkpoint. */
export interface SavedMean {
  sum: number
  /** How many values there were: optimiser steps for the loss, batches for its components. */
  count: number
  reported: boolean
}

/** The mean of many values, from the means that reports give. */
export class LossMean {
  /** Whether there was a report, even one without a finite loss. */
  reported = false
  #sum = 0
  #count = 0

  /** @param count how many values `mean` stands for */
  add(mean: number, count: number): void {
    this.reported = true
    if (count === 0) return
    this.#sum += mean * count
    this.#count += count
  }

  /** NaN without a finite loss. */
  get value(): number {
    return this.#sum / this.#count
  }

  save(): SavedMean {
    return { sum: this.#sum, count: this.#count, reported: this.reported }
  }

  static restore({ sum, count, reported }: SavedMean): LossMean {
    const mean = new LossMean()
    mean.#sum = sum
    mean.#count = count
    mean.reported = reported
    return mean
  }
}
