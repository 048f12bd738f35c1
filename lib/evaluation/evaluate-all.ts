import { SentenceTorchError } from '../errors.js'
import { unlessAborted } from '../io/abort.js'
import type { EvaluationContext, EvaluationResult } from './evaluator.js'

interface NamedEvaluator<M> {
  readonly name: string
  evaluate(model: M, context: EvaluationContext): Promise<EvaluationResult>
}

/**
 * Runs `make` once for all calls. A failure is not kept, so another call may try again. A call whose signal fires rejects
 * with ERR_ABORTED at once. If that stopped the work, another waiting call starts it again.
 */
export function madeOnce<T>(make: (signal?: AbortSignal) => Promise<T>): (signal?: AbortSignal) => Promise<T> {
  let made: Promise<T> | undefined
  return async (signal) => {
    for (;;) {
      const isOwn = made === undefined
      made ??= make(signal)
      const current = made
      try {
        return await unlessAborted(current, signal, 'The evaluation')
      } catch (error) {
        // Work that another call started continues for that call.
        if (signal?.aborted && !isOwn) throw error
        if (made === current) made = undefined
        const isAbort = error instanceof SentenceTorchError && error.code === 'ERR_ABORTED'
        if (isOwn || !isAbort) throw error
      }
    }
  }
}

/** All metrics of several data sets, and over all of them each metric under its name without the data set's name. */
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
