import { invalidArgument } from '../errors.js'
import { checkOptions, checkType } from '../options.js'
import type { EvaluatedModel, EvaluationContext, EvaluationResult, MetricItems } from './evaluator.js'
import { primaryValue } from './primary-value.js'
import { SentenceEvaluator } from './sentence-evaluator.js'

export interface SequentialEvaluatorOptions {
  /** Combines the primary metrics of all evaluators, in order. Default: the last one. */
  mainScoreFunction?: (scores: readonly number[]) => number
}

/** An evaluator of one kind of models; sentence embeddings by default. */
interface EvaluatorOf<M> {
  evaluate(model: M, context?: EvaluationContext): Promise<EvaluationResult>
}

/**
 * Several evaluators as one. They run one after another.
 *
 * Metrics: those of all evaluators, and `sequential_score`, the primary one. Give the evaluators names, because the later
 * of two equal metrics wins. Source: sentence-transformers `SequentialEvaluator`.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION; during evaluation ERR_INVALID_DATA (a primary metric that is not among
 * the metrics)
 */
export class SequentialEvaluator<M = EvaluatedModel> extends SentenceEvaluator<M> {
  readonly #evaluators: readonly EvaluatorOf<M>[]
  readonly #mainScore: (scores: readonly number[]) => number

  constructor(evaluators: Iterable<EvaluatorOf<M>>, options: SequentialEvaluatorOptions = {}) {
    super()
    const where = 'SequentialEvaluator'
    if (typeof evaluators?.[Symbol.iterator] !== 'function') {
      throw invalidArgument(`${where} evaluators`, 'a list of evaluators', evaluators)
    }
    checkOptions(where, options, ['mainScoreFunction'])
    checkType(`${where} mainScoreFunction`, options.mainScoreFunction, 'function')
    this.#evaluators = [...evaluators]
    const wrong = this.#evaluators.findIndex((evaluator) => typeof evaluator?.evaluate !== 'function')
    if (wrong !== -1) throw invalidArgument(`${where} evaluators[${wrong}]`, 'an evaluator', this.#evaluators[wrong])
    this.#mainScore = options.mainScoreFunction ?? ((scores) => scores.at(-1)!)
  }

  async evaluate(model: M, context: EvaluationContext = {}): Promise<EvaluationResult> {
    const metrics: Record<string, number> = {}
    const items: Record<string, MetricItems> = {}
    const scores: number[] = []
    const parts: { evaluator: object; result: EvaluationResult }[] = []
    for (const evaluator of this.#evaluators) {
      const result = await evaluator.evaluate(model, context)
      Object.assign(metrics, result.metrics)
      Object.assign(items, result.items)
      scores.push(primaryValue(result))
      parts.push({ evaluator, result })
    }
    metrics.sequential_score = scores.length === 0 ? 0 : this.#mainScore(scores)
    return { metrics, primaryMetric: 'sequential_score', ...(context.items && { items }), parts }
  }
}
