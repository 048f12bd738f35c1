import type { StepReport } from '../../native/types.js'
import { type ReportCheck, Streak } from './check.js'
import type { TrainingWarning } from './warning.js'

const REPORTS = 3

/** Warns when the gradient is exactly 0 in several reports in a row. */
export class GradientZero implements ReportCheck {
  readonly #streak = new Streak(REPORTS)

  observe({ gradNorm, updates, skipped }: StepReport): TrainingWarning | undefined {
    if (updates + skipped === 0 || !this.#streak.add(gradNorm === 0)) return undefined
    return {
      code: 'WARN_GRADIENT_ZERO',
      message: `The gradient is exactly 0 in ${REPORTS} reports one after the other: nothing is learnt`,
      remedy:
        'Look whether the loss is already 0 (a margin that all rows keep, batches without a negative or of one class) and ' +
        'whether all parameters are frozen.',
    }
  }
}

/**
 * Warns when an update was skipped because its gradient had an infinite or undefined entry. A loss scaler finds its scale by such
 * updates, so there only a scale below 1 is a sign.
 */
export class GradientNotFinite implements ReportCheck {
  observe({ skipped, lossScale }: StepReport): TrainingWarning | undefined {
    if (skipped === 0 || (lossScale !== undefined && lossScale >= 1)) return undefined
    if (lossScale !== undefined) {
      return {
        code: 'WARN_GRADIENT_NOT_FINITE',
        message: `Gradients in float16 are not finite even with losses that are scaled by ${lossScale}: updates are skipped`,
        remedy: 'Take bf16 in place of fp16: states of this model are probably beyond 65,504, the largest float16.',
      }
    }
    return {
      code: 'WARN_GRADIENT_NOT_FINITE',
      message: `A gradient was not finite: ${skipped === 1 ? 'its update was' : `${skipped} updates were`} skipped`,
      remedy:
        'Lower learningRate, keep maxGradNorm above 0, and look for labels that are very large. skipped_steps of the log ' +
        'counts further ones.',
    }
  }
}
