// What an evaluator answers and writes, against Python's.
import type { ExecutionContext } from 'ava'
import type { EvaluationResult } from '../../lib/evaluation/evaluator.js'
import { report } from './report.js'

/** The metrics, their order and the primary one; `section` and `evaluator` are those of the report. */
export function sameResult(
  t: ExecutionContext,
  section: string,
  evaluator: string,
  { metrics, primaryMetric }: EvaluationResult,
  golden: EvaluationResult,
): void {
  t.deepEqual(Object.keys(metrics), Object.keys(golden.metrics))
  t.true(primaryMetric in metrics, primaryMetric)
  t.is(primaryMetric, golden.primaryMetric)
  for (const [key, value] of Object.entries(golden.metrics)) {
    const difference = Math.abs(metrics[key]! - value) / Math.max(1, Math.abs(value))
    report(section, evaluator, { deviation: difference, allowed: 1e-6 })
    t.true(difference <= 1e-6, `${key}: ${metrics[key]}, Python ${value}`)
  }
}

/** Equal but for the last digits of numbers; what is an integer there is one here. */
export function sameText(t: ExecutionContext, file: string, found: string, expected: string): void {
  const number = /-?\d+(?:\.\d+)?(?:e[-+]\d+)?/g
  const shape = (text: string) => text.replace(number, (match) => (/[.e]/.test(match) ? '#.#' : match))
  t.is(shape(found), shape(expected), file)
  const values = expected.match(number) ?? []
  for (const [i, value] of (found.match(number) ?? []).entries()) {
    const difference = Math.abs(Number(value) - Number(values[i])) / Math.max(1, Math.abs(Number(values[i])))
    t.true(difference <= 1e-6, `${file}: ${value}, Python ${values[i]}`)
  }
}
