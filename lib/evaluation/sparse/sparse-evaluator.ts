import { invalidArgument, SentenceTorchError } from '../../errors.js'
import { checkInteger, isPlainObject } from '../../options.js'
import { denseKind, type EvaluatorKind } from '../common.js'
import { withColumns } from '../csv-row.js'
import type { EvaluatedModel, EvaluationContext, EvaluationResult } from '../evaluator.js'
import { SentenceEvaluator } from '../sentence-evaluator.js'
import { type EvaluatedSparseModel, SparsityWatch } from './watch.js'

export interface MaxActiveDims {
  /** Values that are kept of every embedding. Default: the model's. */
  maxActiveDims?: number
}

/** The evaluator over embeddings whose metrics these are. */
interface Inner {
  readonly name: string
  evaluate(model: EvaluatedModel, context?: EvaluationContext): Promise<EvaluationResult>
}

/** Options of the evaluators over embeddings that those of sparse models do not have. */
const DENSE_ALONE = [
  ['truncateDim', 'use maxActiveDims'],
  ['precision', 'sparse embeddings are float32'],
] as const

/** The base of the evaluators of sparse models: an evaluator over embeddings, and how sparse the embeddings were. */
export abstract class SparseEvaluator extends SentenceEvaluator<EvaluatedSparseModel> {
  override readonly name: string
  readonly #inner: Inner
  readonly #maxActiveDims: number | undefined
  readonly #statistics: (watch: SparsityWatch) => Record<string, number>

  /** @internal */
  protected constructor(
    where: string,
    options: MaxActiveDims,
    make: (options: never, kind: EvaluatorKind) => Inner,
    statistics: (watch: SparsityWatch) => Record<string, number>,
  ) {
    super()
    if (!isPlainObject(options)) throw invalidArgument(`the options of ${where}`, 'an object', options)
    const { maxActiveDims, ...rest } = options as MaxActiveDims
    checkInteger(`${where} maxActiveDims`, maxActiveDims, 1)
    for (const [name, instead] of DENSE_ALONE)
      if ((rest as Record<string, unknown>)[name] !== undefined)
        throw new SentenceTorchError('ERR_UNKNOWN_OPTION', `${where} has no option "${name}"; ${instead}`)
    this.#inner = make(rest as never, denseKind(where))
    this.name = this.#inner.name
    this.#maxActiveDims = maxActiveDims
    this.#statistics = statistics
  }

  /** Embeds, measures and counts; see the class for the metrics. */
  async evaluate(model: EvaluatedSparseModel, context: EvaluationContext = {}): Promise<EvaluationResult> {
    const watch = new SparsityWatch(model, this.#maxActiveDims)
    const own = withColumns(context, () => this.#statistics(watch))
    const result = await this.#inner.evaluate(watch.model, own)
    const prefix = this.name === '' ? '' : `${this.name}_`
    const added = Object.entries(this.#statistics(watch)).map(([name, value]) => [prefix + name, value] as const)
    return { ...result, metrics: { ...result.metrics, ...Object.fromEntries(added) } }
  }
}
