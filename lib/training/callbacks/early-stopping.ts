import { invalidArgument, SentenceTorchError } from '../../errors.js'
import { integer, object } from '../../io/schema.js'
import { checkInteger, checkOptions } from '../../options.js'
import { evaluationName, isImprovement } from './best-metric.js'
import type { CallbackContext, CallbackState, LogRecord, TrainerCallback } from './callbacks.js'

export interface EarlyStoppingOptions {
  /** Training stops after this many evaluations in a row without an improvement. Default 1. */
  earlyStoppingPatience?: number
  /** How much better than the best an evaluation must be to count. Default 0. */
  earlyStoppingThreshold?: number
}

const savedState = object({ attributes: object({ early_stopping_patience_counter: integer(0) }) })

/**
 * Stops training when `metricForBestModel` has not improved in several evaluations. Needs an `evalStrategy` and, as in
 * Python, `loadBestModelAtEnd`: without it the model would keep the weights of the last step.
 *
 * Source: transformers `EarlyStoppingCallback`.
 * @throws ERR_INVALID_ARGUMENT when training begins and one of them is missing
 */
export class EarlyStoppingCallback implements TrainerCallback {
  readonly earlyStoppingPatience: number
  readonly earlyStoppingThreshold: number
  /** Evaluations in a row without an improvement. */
  earlyStoppingPatienceCounter = 0

  constructor(options: EarlyStoppingOptions = {}) {
    checkOptions('EarlyStoppingCallback', options, ['earlyStoppingPatience', 'earlyStoppingThreshold'])
    const { earlyStoppingPatience = 1, earlyStoppingThreshold = 0 } = options
    checkInteger('earlyStoppingPatience', earlyStoppingPatience, 1)
    if (typeof earlyStoppingThreshold !== 'number' || !(earlyStoppingThreshold >= 0)) {
      throw invalidArgument('earlyStoppingThreshold', 'a number of at least 0', earlyStoppingThreshold)
    }
    this.earlyStoppingPatience = earlyStoppingPatience
    this.earlyStoppingThreshold = earlyStoppingThreshold
  }

  onTrainBegin({ args }: CallbackContext): void {
    if (args.evalStrategy === 'no' || !args.loadBestModelAtEnd) {
      throw new SentenceTorchError(
        'ERR_INVALID_ARGUMENT',
        'EarlyStoppingCallback needs loadBestModelAtEnd and an evalStrategy',
      )
    }
  }

  onEvaluate(metrics: Readonly<LogRecord>, { args, state, control }: CallbackContext): void {
    const value = metrics[evaluationName(args.metricForBestModel!)]
    // With several datasets, only one record has the metric.
    if (value === undefined) return
    const { bestMetric } = state
    const isBetter =
      bestMetric === null ||
      (isImprovement(value, bestMetric, args.greaterIsBetter === true) &&
        Math.abs(value - bestMetric) > this.earlyStoppingThreshold)
    this.earlyStoppingPatienceCounter = isBetter ? 0 : this.earlyStoppingPatienceCounter + 1
    if (this.earlyStoppingPatienceCounter >= this.earlyStoppingPatience) control.shouldTrainingStop = true
  }

  state(): CallbackState {
    const { earlyStoppingPatience, earlyStoppingThreshold, earlyStoppingPatienceCounter } = this
    return {
      args: { early_stopping_patience: earlyStoppingPatience, early_stopping_threshold: earlyStoppingThreshold },
      attributes: { early_stopping_patience_counter: earlyStoppingPatienceCounter },
    }
  }

  loadState(state: CallbackState): void {
    const { attributes } = savedState(state, {
      file: 'trainer_state.json',
      key: 'stateful_callbacks.EarlyStoppingCallback',
      code: 'ERR_INVALID_FILE',
    })
    this.earlyStoppingPatienceCounter = attributes.early_stopping_patience_counter
  }
}
