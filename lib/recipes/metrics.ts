/** The numbers of a model before and after training, side by side. */
import { metricInterval } from '../evaluation/bootstrap.js'
import type { EvaluationContext, EvaluationResult } from '../evaluation/evaluator.js'
import type { RecipeEvaluator, RecipeModel } from './model-kind.js'
import type { RecipeMetric } from './recipe.js'

/** What a metric is measured on. */
export type MeasuredRole = RecipeMetric['data']

export const MEASURED: readonly MeasuredRole[] = ['dev', 'test', 'outside']

/** For intervals of many metrics: their ends vary by some percent of their width. */
const RESAMPLES = 2000

export type Evaluators = Readonly<Partial<Record<MeasuredRole, RecipeEvaluator>>>
export type Measured = Readonly<Partial<Record<MeasuredRole, EvaluationResult>>>

/** Runs all evaluators on the model. */
export async function measure(
  model: RecipeModel,
  evaluators: Evaluators,
  context: EvaluationContext,
): Promise<Measured> {
  const results: Partial<Record<MeasuredRole, EvaluationResult>> = {}
  for (const role of MEASURED) {
    const evaluator = evaluators[role]
    if (evaluator) results[role] = await evaluator.evaluate(model as never, { ...context, items: true })
  }
  return results
}

/**
 * One row for each metric, the primary one of each evaluator first, with the interval of its difference where it has one; thresholds are no measure of quality and have none. Metrics that
 * are not defined for a model (a correlation of equal similarities) stand apart.
 */
export async function metricRows(
  evaluators: Evaluators,
  before: Measured,
  after: Measured,
): Promise<{ defined: RecipeMetric[]; undefined: RecipeMetric[] }> {
  const rows: RecipeMetric[] = []
  for (const role of MEASURED) {
    const [old, now] = [before[role], after[role]]
    if (!old || !now) continue
    const names = Object.keys(now.metrics).filter(isQuality)
    names.sort((a, b) => Number(b === now.primaryMetric) - Number(a === now.primaryMetric))
    for (const name of names) {
      const interval = await metricInterval(name, old, now, { resamples: RESAMPLES })
      rows.push({
        ...{ name, evaluator: nameOf(evaluators[role]!, role), data: role },
        ...{ before: old.metrics[name]!, after: now.metrics[name]!, higherIsBetter: true },
        ...(interval && { interval: { low: interval.low, high: interval.high, confidence: interval.confidence } }),
      })
    }
  }
  const isDefined = ({ before, after }: RecipeMetric) => Number.isFinite(before) && Number.isFinite(after)
  return { defined: rows.filter(isDefined), undefined: rows.filter((row) => !isDefined(row)) }
}

/** The primary metrics in a line, for people. */
export function primaryNumbers(measured: Measured): string {
  const shown = MEASURED.flatMap((role) => {
    const result = measured[role]
    return result ? [`${role} ${result.primaryMetric} ${result.metrics[result.primaryMetric]!.toFixed(4)}`] : []
  })
  return shown.join(', ') || 'nothing is measured'
}

function isQuality(metric: string): boolean {
  return !metric.endsWith('threshold') && metric !== 'sequential_score'
}

function nameOf(evaluator: RecipeEvaluator & { name?: unknown }, role: MeasuredRole): string {
  return typeof evaluator.name === 'string' && evaluator.name !== '' ? evaluator.name : role
}
