import type { EvaluationResult } from '../../evaluation/evaluator.js'
import type { EvaluatorFacts } from '../../models/card/facts.js'

export interface Evaluated {
  evaluator: object
  /** With the evaluator's name in front, as a log has it. */
  primaryMetric: string
  facts: EvaluatorFacts
}

/** What a card says of an evaluation: an entry for the evaluator, or for each inside of it. */
export function evaluatorFacts(evaluator: object, result: EvaluationResult): Evaluated[] {
  const { metrics, primaryMetric, parts } = result
  if (parts !== undefined) return parts.flatMap((part) => evaluatorFacts(part.evaluator, part.result))
  const { name: given } = evaluator as { name?: unknown }
  const name = typeof given === 'string' ? given : ''
  const keys = Object.keys(metrics)
  const prefix = name !== '' && keys.every((key) => key.startsWith(`${name}_`)) ? `${name}_` : ''
  const facts = {
    className: evaluator.constructor.name,
    name,
    metrics: Object.fromEntries(keys.map((key) => [key.slice(prefix.length), metrics[key]!])),
    primary: primaryMetric.slice(prefix.length),
  }
  return [{ evaluator, primaryMetric, facts }]
}
