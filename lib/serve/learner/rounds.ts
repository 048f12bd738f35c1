import type { PairedInterval } from '../../evaluation/bootstrap.js'

/** One training, and what became of it. */
export interface Round {
  /** The version that was trained, and the one that it was trained from. */
  version: string
  from: string
  /** When it began, in ISO 8601. */
  startedAt: string
  seconds: number
  /** Feedback that it was trained on. */
  pairs: number
  /**
   * `swapped`: it serves. `kept`: the one that served was not worse, and still serves. `failed`: see `error`. `stopped`: the learner was
   * closed, or rolled back meanwhile.
   */
  outcome: 'swapped' | 'kept' | 'failed' | 'stopped'
  /** The evaluator's primary metric, of the version that served and of the new one. */
  metric?: string
  before?: number
  after?: number
  /** The paired-bootstrap interval of the difference, where the evaluator gives scores of items. */
  interval?: Pick<PairedInterval, 'difference' | 'low' | 'high' | 'confidence'>
  error?: string
}
