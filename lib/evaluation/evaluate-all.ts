import type { EvaluationContext, EvaluationResult } from './evaluator.js'

interface NamedEvaluator<M> {
  readonly name: string
  evaluate(model: M, context: EvaluationContext): Promise<EvaluationResult>
}

/** `make`, done once for all calls; what went wrong is not kept, so that another call may try again. */
export function madeOnce<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return async () => {
    made ??= make()
    try {
      return await made
    } catch (error) {
      made = undefined
      throw error
    }
  }
}

/** All metrics of several data sets, and each metric over all of them, by its name without the data set's. */
export async function evaluateAll<M>(
  evaluators: readonly NamedEvaluator<M>[],
  model: M,
  context: EvaluationContext,
  aggregate: (values: number[]) => number,
): Promise<{ metrics: Record<string, number>; overall: Map<string, number> }> {
  const metrics: Record<string, number> = {}
  const values = new Map<string, number[]>()
  for (const evaluator of evaluators) {
    const result = await evaluator.evaluate(model, context)
    for (const [key, value] of Object.entries(result.metrics)) {
      metrics[key] = value
      const metric = key.slice(evaluator.name.length + 1)
      values.set(metric, [...(values.get(metric) ?? []), value])
    }
  }
  return { metrics, overall: new Map([...values].map(([metric, list]) => [metric, aggregate(list)])) }
}
