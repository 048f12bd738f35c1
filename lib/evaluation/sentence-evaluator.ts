import type { EvaluatedModel, EvaluationContext, EvaluationResult } from './evaluator.js'

/** Called like a function, as in Python: the metrics alone. */
export interface SentenceEvaluator<M = EvaluatedModel> {
  // biome-ignore lint/style/useShorthandFunctionType: a type would not merge with the class.
  (model: M, context?: EvaluationContext): Promise<Record<string, number>>
}

/**
 * The base of all evaluators, which you may extend too. `evaluate(model)` returns metrics and the name of the primary one.
 * The evaluator itself is a function that returns only the metrics: `const metrics = await evaluator(model)`.
 * Source: sentence-transformers `SentenceEvaluator`.
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the constructor makes what the interface says, a function.
export abstract class SentenceEvaluator<M = EvaluatedModel> {
  constructor() {
    const call = async (model: M, context?: EvaluationContext) => (await evaluator.evaluate(model, context)).metrics
    // The evaluation reads the weights of one training step, even while training continues.
    const evaluate = (model: M, context?: EvaluationContext) =>
      holding(model, () => (new.target.prototype as SentenceEvaluator<M>).evaluate.call(evaluator, model, context))
    // The returned function becomes `this` of the subclass and gets its private members.
    const evaluator: SentenceEvaluator<M> = Object.setPrototypeOf(call, new.target.prototype)
    Object.defineProperty(evaluator, 'evaluate', { value: evaluate, configurable: true, writable: true })
    // biome-ignore lint/correctness/noConstructorReturn: only so is an instance callable.
    return evaluator
  }

  abstract evaluate(model: M, context?: EvaluationContext): Promise<EvaluationResult>
}

/** Runs `work` while the model's weights stay the same, if the model can be held. */
function holding<T>(model: unknown, work: () => Promise<T>): Promise<T> {
  const { hold } = (model ?? {}) as { hold?: (work: () => Promise<T>) => Promise<T> }
  return typeof hold === 'function' ? hold.call(model, work) : work()
}
