import { invalidArgument } from '../../errors.js'
import type { EvaluationContext, EvaluationResult } from '../../evaluation/evaluator.js'
import { SequentialEvaluator } from '../../evaluation/sequential.js'

/** An evaluator of models of one kind. */
export interface EvaluatorOf<M> {
  evaluate(model: M, context?: EvaluationContext): Promise<EvaluationResult>
}

/** Result of an evaluator function: one number, or metrics by name. The first metric is the primary one. */
export type EvaluationNumbers = number | Readonly<Record<string, number>>

type OneEvaluator<M> =
  | EvaluatorOf<M>
  | ((model: M, context: EvaluationContext) => EvaluationNumbers | Promise<EvaluationNumbers>)

/** An evaluator or a function of the model, or several in an array (as one {@link SequentialEvaluator}). */
export type EvaluatorChoice<M> = OneEvaluator<M> | readonly OneEvaluator<M>[]

/**
 * Makes an evaluator of what the caller gave. The number that a function returns is named `evaluator`, as in
 * sentence-transformers.
 * @throws ERR_INVALID_ARGUMENT for anything else
 */
export function evaluatorOf<M>(choice: EvaluatorChoice<M>): EvaluatorOf<M> {
  if (typeof (choice as EvaluatorOf<M> | undefined)?.evaluate === 'function') return choice as EvaluatorOf<M>
  if (Array.isArray(choice)) return new SequentialEvaluator<M>(choice.map((one: OneEvaluator<M>) => evaluatorOf(one)))
  if (typeof choice !== 'function') {
    throw invalidArgument('evaluator', 'an object with the method evaluate, an array of them or a function', choice)
  }
  return { evaluate: async (model, context = {}) => resultOf(await choice(model, context)) }
}

function resultOf(found: EvaluationNumbers): EvaluationResult {
  const metrics = typeof found === 'number' ? { evaluator: found } : { ...found }
  const [primaryMetric] = Object.keys(metrics)
  if (primaryMetric === undefined || Object.values(metrics).some((value) => typeof value !== 'number')) {
    throw invalidArgument('what the function evaluator gives', 'a number, or an object of numbers,', found)
  }
  return { metrics, primaryMetric }
}
