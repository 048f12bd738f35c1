import type { Pair } from '../../models/cross-encoder.js'
import { checkOptions, ownCopy } from '../../options.js'
import { contextCells, invalidData, named, suffix } from '../common.js'
import { pearson, spearman } from '../correlation.js'
import { appendCsv, pythonFloat } from '../csv.js'
import type { EvaluationContext, EvaluationResult } from '../evaluator.js'
import { SentenceEvaluator } from '../sentence-evaluator.js'
import {
  checkLabelledPairs,
  checkPairOptions,
  type EvaluatedCrossEncoder,
  type InputExample,
  PAIR_OPTIONS,
  type PairOptions,
  pairRows,
  predict,
} from './common.js'

/** `batchSize` is 32 unless given; the CSV file is `CrossEncoderCorrelationEvaluator_{name}_results.csv`. */
export interface CrossEncoderCorrelationEvaluatorOptions extends PairOptions {
  sentencePairs: readonly Pair[]
  /** Gold score of each pair, of any range. */
  scores: readonly number[]
}

/**
 * How well the scores of pairs agree with gold scores, for models with one label.
 *
 * Metrics: `pearson`, `spearman` (primary; ties at their average rank). NaN where one side is constant.
 * Source: sentence-transformers `CrossEncoderCorrelationEvaluator`.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_INVALID_DATA
 */
export class CrossEncoderCorrelationEvaluator extends SentenceEvaluator<EvaluatedCrossEncoder> {
  override readonly name: string
  readonly #options: CrossEncoderCorrelationEvaluatorOptions

  constructor(options: CrossEncoderCorrelationEvaluatorOptions) {
    super()
    const where = 'CrossEncoderCorrelationEvaluator'
    checkOptions(where, options, ['sentencePairs', 'scores', ...PAIR_OPTIONS])
    checkPairOptions(where, options)
    checkLabelledPairs(where, options.sentencePairs, 'scores', options.scores)
    if (options.scores.length < 2) throw invalidData(`${where}: a correlation needs at least 2 pairs but received 1`)
    this.name = options.name ?? ''
    this.#options = ownCopy(options)
  }

  static fromInputExamples(
    examples: readonly InputExample[],
    options: PairOptions = {},
  ): CrossEncoderCorrelationEvaluator {
    const sentencePairs = examples.map(({ texts }) => texts)
    return new CrossEncoderCorrelationEvaluator({
      ...options,
      sentencePairs,
      scores: examples.map(({ label }) => label),
    })
  }

  async evaluate(model: EvaluatedCrossEncoder, context: EvaluationContext = {}): Promise<EvaluationResult> {
    const { sentencePairs, scores, writeCsv = true } = this.#options
    if (model.numLabels !== 1) {
      throw invalidData(
        `CrossEncoderCorrelationEvaluator needs a model with one label, this one has ${model.numLabels}`,
      )
    }
    const { data } = await predict(model, sentencePairs, this.#options, context)
    const metrics = { pearson: pearson(scores, data), spearman: spearman(scores, data) }
    if (context.outputPath !== undefined && writeCsv) {
      await appendCsv(
        context.outputPath,
        `CrossEncoderCorrelationEvaluator${suffix(this.name)}_results.csv`,
        ['epoch', 'steps', 'Pearson_Correlation', 'Spearman_Correlation'],
        [...contextCells(context), ...Object.values(metrics).map(pythonFloat)],
      )
    }
    if (!context.items) return named(this.name, metrics, 'spearman')
    const item = (correlation: 'pearson' | 'spearman') => ({ scores: data, gold: scores, correlation })
    const items = { pearson: item('pearson'), spearman: item('spearman') }
    return named(this.name, metrics, 'spearman', items, pairRows(sentencePairs, scores, data))
  }
}
