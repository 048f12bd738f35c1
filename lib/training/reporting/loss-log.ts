import type { StepReport } from '../../native/types.js'
import type { LogRecord } from '../callbacks/callbacks.js'
import { roundTo } from './format.js'
import { LossMean, type SavedMean } from './loss-mean.js'

/** The log in a checkpoint. NaN is null there, because JSON has no NaN. */
export interface SavedLossLog {
  sinceLog: SavedMean
  all: SavedMean
  components: Record<string, SavedMean>
  gradNorm: number | null
  skippedSinceLog: number
  loggedStep: number
}

/** Sums up the losses and gradients that the engine reports, for the log. */
export class LossLog {
  #sinceLog = new LossMean()
  #all = new LossMean()
  #components = new Map<string, LossMean>()
  #gradNorm = Number.NaN
  #lossScale: number | undefined
  #skippedSinceLog = 0
  #loggedStep = 0

  /** Mean loss of all optimiser steps; NaN if there was none. */
  get mean(): number {
    return this.#all.value
  }

  /**
   * As in transformers, the loss is a mean over optimiser steps, and the loss of a step is the mean of its batches. As in
   * sentence-transformers, the components of the loss are means over batches.
   * @param report of steps with equally many batches
   */
  gather(report: StepReport): void {
    const steps = report.batches === 0 ? 0 : report.updates + report.skipped
    this.#sinceLog.add(report.loss, steps)
    this.#all.add(report.loss, steps)
    for (const [name, value] of Object.entries(report.components)) {
      const mean = this.#components.get(name) ?? new LossMean()
      mean.add(value, report.batches)
      this.#components.set(name, mean)
    }
    this.#gradNorm = report.gradNorm
    this.#lossScale = report.lossScale
    this.#skippedSinceLog += report.skipped
  }

  isLogged(step: number): boolean {
    return step === this.#loggedStep
  }

  /** Whether there was a report since the last record. */
  get hasNews(): boolean {
    return this.#sinceLog.reported
  }

  /** The record of everything since the last one. Components have 4 decimals, as in sentence-transformers. */
  take(step: number, learningRate: number, epoch: number, timings: LogRecord = {}): LogRecord {
    const components = [...this.#components].map(([name, mean]) => [name, roundTo(mean.value, 4)] as const)
    const record: LogRecord = {
      loss: this.#sinceLog.value,
      grad_norm: this.#gradNorm,
      learning_rate: learningRate,
      ...(this.#lossScale !== undefined && { loss_scale: this.#lossScale }),
      ...(this.#skippedSinceLog > 0 && { skipped_steps: this.#skippedSinceLog }),
      ...Object.fromEntries(components),
      ...timings,
      epoch,
    }
    this.#sinceLog = new LossMean()
    this.#components = new Map()
    this.#skippedSinceLog = 0
    this.#loggedStep = step
    return record
  }

  save(): SavedLossLog {
    return {
      sinceLog: this.#sinceLog.save(),
      all: this.#all.save(),
      components: Object.fromEntries([...this.#components].map(([name, mean]) => [name, mean.save()])),
      gradNorm: Number.isNaN(this.#gradNorm) ? null : this.#gradNorm,
      skippedSinceLog: this.#skippedSinceLog,
      loggedStep: this.#loggedStep,
    }
  }

  restore(saved: SavedLossLog): void {
    this.#sinceLog = LossMean.restore(saved.sinceLog)
    this.#all = LossMean.restore(saved.all)
    this.#components = new Map(
      Object.entries(saved.components).map(([name, mean]) => [name, LossMean.restore(mean)] as const),
    )
    this.#gradNorm = saved.gradNorm ?? Number.NaN
    this.#skippedSinceLog = saved.skippedSinceLog
    this.#loggedStep = saved.loggedStep
  }
}
