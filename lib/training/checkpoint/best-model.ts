import { SentenceTorchError } from '../../errors.js'
import type { TrainingArguments } from '../arguments/arguments.js'
import { evaluationName, isImprovement } from '../callbacks/best-metric.js'
import type { LogRecord } from '../callbacks/callbacks.js'
import { rotateCheckpoints } from './rotation.js'

interface BestState {
  globalStep: number
  bestMetric: number | null
  bestGlobalStep: number | null
  bestModelCheckpoint: string | null
}

/** Remembers the best evaluation and the checkpoint that belongs to it. Source: transformers `Trainer`. */
export class BestModel {
  readonly #args: Readonly<TrainingArguments>
  readonly #state: BestState

  constructor(args: Readonly<TrainingArguments>, state: BestState) {
    this.#args = args
    this.#state = state
  }

  /**
   * Compares the metrics of an evaluation with the best so far.
   * @returns whether they are better
   * @throws ERR_INVALID_ARGUMENT when `metricForBestModel` is not among them
   */
  update(metrics: LogRecord): boolean {
    const { metricForBestModel, greaterIsBetter, saveStrategy } = this.#args
    if (metricForBestModel === null) return false
    const name = evaluationName(metricForBestModel)
    const value = metrics[name]
    if (value === undefined) {
      const known = Object.keys(metrics).join(', ')
      throw new SentenceTorchError(
        'ERR_INVALID_ARGUMENT',
        `metricForBestModel is ${name}, which is none of the metrics of the evaluation: ${known}`,
      )
    }
    const { bestMetric } = this.#state
    const isBetter = isImprovement(value, bestMetric, greaterIsBetter === true)
    if (!isBetter) return false
    this.#state.bestMetric = value
    if (saveStrategy !== 'no') this.#state.bestGlobalStep = this.#state.globalStep
    return true
  }

  /** Removes checkpoints beyond `saveTotalLimit` after `newest` was written. @returns their names */
  async rotate(newest: string): Promise<string[]> {
    const { outputDir, saveTotalLimit } = this.#args
    if (saveTotalLimit === null || saveTotalLimit === 0) return []
    return rotateCheckpoints(outputDir, saveTotalLimit, [newest, this.#name])
  }

  /** At the end of a run with a limit of 1: removes all checkpoints but the best. @returns the names of the removed ones */
  async removeOthers(): Promise<string[]> {
    const { outputDir, saveTotalLimit } = this.#args
    if (saveTotalLimit !== 1 || this.#name === undefined || this.#state.bestModelCheckpoint === null) return []
    return rotateCheckpoints(outputDir, 1, [this.#name])
  }

  get #name(): string | undefined {
    const { bestGlobalStep } = this.#state
    return bestGlobalStep === null ? undefined : `checkpoint-${bestGlobalStep}`
  }
}
