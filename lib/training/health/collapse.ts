import type { StepReport } from '../../native/types.js'
import { type ReportCheck, Streak } from './check.js'
import type { TrainingWarning } from './warning.js'

const COSINE = 0.99
const REPORTS = 5

/** Warns when different texts of a batch have nearly the same embedding in several reports in a row. */
export class Collapse implements ReportCheck {
  readonly #streak = new Streak(REPORTS)

  observe({ meanCosine }: StepReport): TrainingWarning | undefined {
    // A batch with one row has no mean cosine.
    if (Number.isNaN(meanCosine) || !this.#streak.add(meanCosine > COSINE)) return undefined
    return {
      code: 'WARN_COLLAPSE',
      message: `Embeddings collapse: different texts of a batch have a mean cosine of ${meanCosine.toFixed(4)}`,
      remedy:
        'Lower learningRate or add warmupSteps; check that labels are not reversed and negatives not equal to positives; ' +
        'go back to an earlier checkpoint, as a collapsed model rarely recovers.',
    }
  }
}
