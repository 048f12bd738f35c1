import { invalidArgument } from '../errors.js'
import { checkType } from '../options.js'

/** What `evaluate` of a model needs of an evaluator. */
export interface ModelEvaluator<M> {
  evaluate(model: M, context: { outputPath?: string }): Promise<{ readonly metrics: Record<string, number> }>
}

/** The metrics that an evaluator finds of a model. @throws ERR_INVALID_ARGUMENT, and what the evaluator throws */
export async function evaluateModel<M extends { hold<T>(work: () => Promise<T>): Promise<T> }>(
  model: M,
  evaluator: ModelEvaluator<M>,
  outputPath: string | undefined,
): Promise<Record<string, number>> {
  if (typeof evaluator?.evaluate !== 'function') throw invalidArgument('evaluator', 'an evaluator', evaluator)
  checkType('outputPath', outputPath, 'string')
  const context = outputPath === undefined ? {} : { outputPath }
  // Those that are no SentenceEvaluator, too.
  return (await model.hold(() => evaluator.evaluate(model, context))).metrics
}
