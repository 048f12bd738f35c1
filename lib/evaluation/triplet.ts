import { invalidArgument } from '../errors.js'
import { checkOptions, isPlainObject, ownCopy } from '../options.js'
import {
  COMMON_OPTIONS,
  type CommonOptions,
  checkColumns,
  checkCommon,
  checkSimilarities,
  denseKind,
  type EvaluatorKind,
  named,
  type SimilarityName,
  suffix,
} from './common.js'
import { pythonFloat } from './csv.js'
import { appendRow } from './csv-row.js'
import { embedRows } from './embed.js'
import type { EvaluatedModel, EvaluatedRows, EvaluationContext, EvaluationResult, MetricItems } from './evaluator.js'
import { type LabelledTexts, textColumns } from './input-examples.js'
import { similaritiesOfPairs } from './pair-similarities.js'
import { SentenceEvaluator } from './sentence-evaluator.js'

/** `batchSize` is 16 unless given; the CSV file is `triplet_evaluation_{name}_results.csv`. */
export interface TripletEvaluatorOptions extends CommonOptions {
  anchors: readonly string[]
  positives: readonly string[]
  negatives: readonly string[]
  /** The similarity of the primary metric. The only one that is measured when `similarityFnNames` is absent. */
  mainSimilarity?: SimilarityName
  /** The similarities to measure. Default: the model's own. */
  similarityFnNames?: SimilarityName | readonly SimilarityName[]
  /** Margin by which the positive must be more similar than the negative, for all similarities or by name. Default 0. */
  margin?: number | Partial<Record<SimilarityName, number>>
}

/**
 * Share of triplets whose anchor is more similar to the positive than to the negative by more than a margin. A tie counts
 * as wrong. Anchors are embedded as queries, the others as documents.
 *
 * Metrics: `{fn}_accuracy` per similarity, `max_accuracy` if there are several. Primary: `{mainSimilarity}_accuracy`, else
 * `max_accuracy`, or the only one. Source: sentence-transformers `TripletEvaluator`.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_INVALID_DATA (lengths, texts)
 */
export class TripletEvaluator extends SentenceEvaluator {
  override readonly name: string
  readonly #options: TripletEvaluatorOptions

  constructor(options: TripletEvaluatorOptions, kind: EvaluatorKind = denseKind('TripletEvaluator')) {
    super()
    const { where } = kind
    const names = ['anchors', 'positives', 'negatives', 'mainSimilarity', 'similarityFnNames', 'margin']
    checkOptions(where, options, [...names, ...COMMON_OPTIONS])
    const { anchors, positives, negatives } = options
    checkColumns(where, { anchors, positives, negatives }, ['anchors', 'positives', 'negatives'])
    checkCommon(where, options)
    checkSimilarities(where, options.similarityFnNames, options.mainSimilarity, kind.similarities)
    checkMargin(`${where} margin`, options.margin, kind.similarities)
    this.name = options.name ?? ''
    this.#options = ownCopy(options)
  }

  /** From examples of three texts. Source: `TripletEvaluator.from_input_examples`. */
  static fromInputExamples(
    examples: readonly LabelledTexts[],
    options: Omit<TripletEvaluatorOptions, 'anchors' | 'positives' | 'negatives'> = {},
  ): TripletEvaluator {
    const columns = textColumns('TripletEvaluator', examples, 3) as [string[], string[], string[]]
    const [anchors, positives, negatives] = columns
    return new TripletEvaluator({ ...options, anchors, positives, negatives })
  }

  /** Embeds all triplets and compares; see the class for the metrics. */
  async evaluate(model: EvaluatedModel, context: EvaluationContext = {}): Promise<EvaluationResult> {
    const { anchors, positives, negatives, mainSimilarity, similarityFnNames, margin = 0 } = this.#options
    const options = { batchSize: 16, ...this.#options }
    const functions = similarityFnNames?.length
      ? [similarityFnNames].flat()
      : [mainSimilarity ?? model.similarityFnName]
    const anchor = await embedRows(model, 'encodeQuery', anchors, options, context)
    const positive = await embedRows(model, 'encodeDocument', positives, options, context)
    const negative = await embedRows(model, 'encodeDocument', negatives, options, context)

    const metrics: Record<string, number> = {}
    const items: Record<string, MetricItems> = {}
    let rows: EvaluatedRows | undefined
    for (const fn of functions) {
      const near = await similaritiesOfPairs(fn, anchor, positive)
      const far = await similaritiesOfPairs(fn, anchor, negative)
      // In float32, as in Python, because with a margin a tie can depend on rounding.
      const ahead = Math.fround(typeof margin === 'number' ? margin : (margin[fn] ?? 0))
      const right = near.map((value, i) => (value > Math.fround(far[i]! + ahead) ? 1 : 0))
      metrics[`${fn}_accuracy`] = Math.fround(right.reduce((sum, value) => sum + value, 0) / near.length)
      items[`${fn}_accuracy`] = { scores: right }
      const isMain = fn === (mainSimilarity ?? functions[0])
      if (isMain)
        rows = { kind: 'triplets', anchors, positives, negatives, scores: near.map((value, i) => value - far[i]!) }
    }
    if (context.outputPath !== undefined && (this.#options.writeCsv ?? true)) {
      await appendRow(
        context,
        `triplet_evaluation${suffix(this.name)}_results.csv`,
        functions.map((fn) => `accuracy_${fn}`),
        Object.values(metrics).map(pythonFloat),
      )
    }
    let primary = `${mainSimilarity ?? functions[0]}_accuracy`
    if (functions.length > 1) {
      metrics.max_accuracy = Math.max(...Object.values(metrics))
      if (mainSimilarity === undefined) primary = 'max_accuracy'
    }
    return context.items ? named(this.name, metrics, primary, items, rows) : named(this.name, metrics, primary)
  }
}

function checkMargin(name: string, margin: unknown, known: readonly string[]): void {
  if (margin === undefined) return
  const isNumber = (value: unknown) => typeof value === 'number' && Number.isFinite(value)
  const fits =
    isNumber(margin) ||
    (isPlainObject(margin) && Object.entries(margin).every(([key, value]) => known.includes(key) && isNumber(value)))
  if (!fits) throw invalidArgument(name, `a number, or numbers by similarity (${known.join(', ')})`, margin)
}
