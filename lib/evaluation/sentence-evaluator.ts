import type { EvaluatedModel, EvaluationContext, EvaluationResult } from './evaluator.js'

/** Called like a function, as in Python: the metrics alone. */
export interface SentenceEvaluator<M = EvaluatedModel> {
  // biome-ignore lint/style/useShorthandFunctionType: a type would not merge with the class.
  (model: M, context?: EvaluationContext): Promise<Record<string, number>>
}

/**
 * What all evaluators are, and your own may be: `evaluate(model)` gives metrics and says which is the primary one, and the
 * evaluator itself is a function that gives the metrics alone: `const metrics = await evaluator(model)`.
 * Source: sentence-transformers `SentenceEvaluator`.
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the constructor makes what the interface says, a function.
export abstract class SentenceEvaluator<M = EvaluatedModel> {
  constructor() {
    const call = async (model: M, context?: EvaluationContext) => (await evaluator.evaluate(model, context)).metrics
    // What an evaluation reads comes from one step of a training that goes on beside it.
    const evaluate = (model: M, context?: EvaluationContext) =>
      holding(model, () => (new.target.prototype as SentenceEvaluator<M>).evaluate.call(evaluator, model, context))
    // What a constructor returns is `this` of the class that extends it, and gets its private members.
    const evaluator: SentenceEvaluator<M> = Object.setPrototypeOf(call, new.target.prototype)
    Object.defineProperty(evaluator, 'evaluate', { value: evaluate, configurable: true, writable: true })
    // biome-ignore lint/correctness/noConstructorReturn: only so is an instance callable.
    return evaluator
  }

  abstract evaluate(model: M, context?: EvaluationContext): Promise<EvaluationResult>
}

/** `work` while the model's weights stay as they are, where the model can be held. */
function holding<T>(model: unknown, work: () => Promise<T>): Promise<T> {
  const { hold } = (model ?? {}) as { hold?: (work: () => Promise<T>) => Promise<T> }
  return typeof hold === 'function' ? hold.call(model, work) : work()
}
