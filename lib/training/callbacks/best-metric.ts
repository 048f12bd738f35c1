/** The name of a metric in the records of evaluations. */
export function evaluationName(metric: string): string {
  return metric.startsWith('eval_') ? metric : `eval_${metric}`
}

/** Whether `value` is better than the best value so far. Without one, every value is better except NaN. */
export function isImprovement(value: number, best: number | null, greaterIsBetter: boolean): boolean {
  return greaterIsBetter ? value > (best ?? Number.NEGATIVE_INFINITY) : value < (best ?? Number.POSITIVE_INFINITY)
}
