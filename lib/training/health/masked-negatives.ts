import type { StepReport } from '../../native/types.js'
import { type ReportCheck, Streak } from './check.js'
import { percent } from './facts.js'
import type { TrainingWarning } from './warning.js'

const SHARE = 0.5
const REPORTS = 5

/** Warns when most in-batch negatives are masked as false ones (component `masked_share`) in several reports in a row. */
export class MaskedNegatives implements ReportCheck {
  readonly #streak = new Streak(REPORTS)

  observe({ components }: StepReport): TrainingWarning | undefined {
    const shares = Object.entries(components).flatMap(([name, value]) => (name.endsWith('masked_share') ? [value] : []))
    if (shares.length === 0) return undefined
    const share = Math.max(...shares)
    if (!this.#streak.add(share > SHARE)) return undefined
    return {
      code: 'WARN_MASKED_NEGATIVES',
      message: `${percent(share)} of the in-batch negatives are masked as false negatives: little is left to learn from`,
      remedy:
        "Raise the margin that masks (falseNegativeMargin, or margin of the GIST losses), use batchSampler 'no_duplicates', or " +
        'look for near-duplicates in the data.',
    }
  }
}
