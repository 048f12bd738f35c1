import { describe, invalidArgument, SentenceTorchError } from '../errors.js'
import { checkOneOf, checkOptions, ownCopy } from '../options.js'
import type { Precision } from '../search/quantize.js'
import {
  COMMON_OPTIONS,
  type CommonOptions,
  checkCommon,
  checkSimilarities,
  denseKind,
  type EvaluatorKind,
  named,
  type SimilarityName,
  suffix,
} from './common.js'
import { pearson, spearmanInSlices } from './correlation.js'
import { pythonFloat } from './csv.js'
import { appendRow } from './csv-row.js'
import { embedRows } from './embed.js'
import type { EvaluatedModel, EvaluationContext, EvaluationResult, MetricItems } from './evaluator.js'
import { type LabelledTexts, numberLabels, textColumns } from './input-examples.js'
import { type Rows, similaritiesOfPairs } from './pair-similarities.js'
import { PRECISIONS, quantizedRows } from './quantized-rows.js'
import { SentenceEvaluator } from './sentence-evaluator.js'

/** `batchSize` is 16 unless given; the CSV file is `similarity_evaluation_{name}_{precision}_results.csv`. */
export interface EmbeddingSimilarityEvaluatorOptions extends CommonOptions {
  sentences1: readonly string[]
  sentences2: readonly string[]
  /** Gold similarity of `sentences1[i]` and `sentences2[i]`, of any range. */
  scores: readonly number[]
  /** The similarity of the primary metric. The only one that is measured when `similarityFnNames` is absent. */
  mainSimilarity?: SimilarityName
  /** The similarities to measure. Default: the model's own. */
  similarityFnNames?: SimilarityName | readonly SimilarityName[]
  /**
   * Normalise the embeddings, then compare them in this precision. The ranges of `int8` and `uint8` come from both sides
   * together.
   */
  precision?: Precision
}

/**
 * How well the similarities of embedded pairs agree with gold scores: Pearson's and Spearman's correlation (ties at their
 * average rank), in double precision. Similarities are rounded to float32 first, as in Python, so that ties are the same.
 *
 * Metrics: `pearson_{fn}`, `spearman_{fn}` for each similarity, and `pearson_max`, `spearman_max` if there are several.
 * Primary: `spearman_{mainSimilarity}`, else `spearman_max`, or the only Spearman. NaN where one side is constant.
 * Source: sentence-transformers `EmbeddingSimilarityEvaluator`.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_INVALID_DATA (scores)
 */
export class EmbeddingSimilarityEvaluator extends SentenceEvaluator {
  override readonly name: string
  readonly #options: EmbeddingSimilarityEvaluatorOptions

  constructor(
    options: EmbeddingSimilarityEvaluatorOptions,
    kind: EvaluatorKind = denseKind('EmbeddingSimilarityEvaluator'),
  ) {
    super()
    const { where } = kind
    const names = ['sentences1', 'sentences2', 'scores', 'mainSimilarity', 'similarityFnNames', 'precision']
    checkOptions(where, options, [...names, ...COMMON_OPTIONS])
    checkOneOf(`${where} precision`, options.precision, PRECISIONS)
    checkPairs(options)
    checkCommon(where, options)
    checkSimilarities(where, options.similarityFnNames, options.mainSimilarity, kind.similarities)
    this.name = options.name ?? ''
    this.#options = ownCopy(options)
  }

  /** From examples of two texts and a score. Source: `EmbeddingSimilarityEvaluator.from_input_examples`. */
  static fromInputExamples(
    examples: readonly LabelledTexts[],
    options: Omit<EmbeddingSimilarityEvaluatorOptions, 'sentences1' | 'sentences2' | 'scores'> = {},
  ): EmbeddingSimilarityEvaluator {
    const where = 'EmbeddingSimilarityEvaluator'
    const [sentences1, sentences2] = textColumns(where, examples, 2) as [string[], string[]]
    const scores = numberLabels(where, examples)
    return new EmbeddingSimilarityEvaluator({ ...options, sentences1, sentences2, scores })
  }

  /** Embeds all pairs and compares; see the class for the metrics. */
  async evaluate(model: EvaluatedModel, context: EvaluationContext = {}): Promise<EvaluationResult> {
    const { scores, mainSimilarity, similarityFnNames, precision = 'float32', writeCsv = true } = this.#options
    const functions = similarityFnNames?.length
      ? [similarityFnNames].flat()
      : [mainSimilarity ?? model.similarityFnName]
    const sides: [Rows, Rows] = [
      await this.#embed(model, this.#options.sentences1, context),
      await this.#embed(model, this.#options.sentences2, context),
    ]
    const [first, second] = await quantizedRows(sides, precision)

    const metrics: Record<string, number> = {}
    const items: Record<string, MetricItems> = {}
    for (const fn of functions) {
      const similarities = await similaritiesOfPairs(fn, first, second)
      for (const correlation of ['pearson', 'spearman'] as const)
        items[`${correlation}_${fn}`] = { scores: similarities, gold: scores, correlation }
      metrics[`pearson_${fn}`] = pearson(scores, similarities)
      metrics[`spearman_${fn}`] = await spearmanInSlices(scores, similarities)
    }
    if (context.outputPath !== undefined && writeCsv) await this.#write(context, functions, metrics)

    let primary = `spearman_${mainSimilarity ?? functions[0]!}`
    if (functions.length > 1) {
      for (const kind of ['pearson', 'spearman']) {
        metrics[`${kind}_max`] = Math.max(...functions.map((fn) => metrics[`${kind}_${fn}`]!))
      }
      if (mainSimilarity === undefined) primary = 'spearman_max'
    }
    if (!context.items) return named(this.name, metrics, primary)
    const { sentences1: texts1, sentences2: texts2 } = this.#options
    const { scores: similarities } = items[`spearman_${mainSimilarity ?? functions[0]!}`]!
    return named(this.name, metrics, primary, items, {
      kind: 'pairs',
      texts1,
      texts2,
      gold: scores,
      scores: similarities,
    })
  }

  async #embed(model: EvaluatedModel, texts: readonly string[], context: EvaluationContext): Promise<Rows> {
    const normalizeEmbeddings = this.#options.precision !== undefined
    return embedRows(model, 'encode', texts, { batchSize: 16, ...this.#options, normalizeEmbeddings }, context)
  }

  async #write(
    context: EvaluationContext,
    functions: readonly SimilarityName[],
    metrics: Record<string, number>,
  ): Promise<void> {
    const headers = functions.flatMap((fn) => [`${fn}_pearson`, `${fn}_spearman`])
    const values = functions.flatMap((fn) => [metrics[`pearson_${fn}`]!, metrics[`spearman_${fn}`]!])
    await appendRow(
      context,
      `similarity_evaluation${suffix(this.name)}${suffix(this.#options.precision ?? '')}_results.csv`,
      headers,
      values.map(pythonFloat),
    )
  }
}

function checkPairs(options: EmbeddingSimilarityEvaluatorOptions): void {
  const { sentences1, sentences2, scores } = options
  for (const [name, value] of Object.entries({ sentences1, sentences2, scores })) {
    if (!Array.isArray(value)) throw invalidArgument(`EmbeddingSimilarityEvaluator ${name}`, 'an array', value)
  }
  if (sentences1.length !== sentences2.length || sentences1.length !== scores.length) {
    throw new SentenceTorchError(
      'ERR_INVALID_DATA',
      `Expected as many sentences1 as sentences2 and scores but received ${sentences1.length}, ${sentences2.length} and ${scores.length}`,
    )
  }
  if (scores.length < 2) {
    throw new SentenceTorchError(
      'ERR_INVALID_DATA',
      `A correlation needs at least 2 pairs but received ${scores.length}`,
    )
  }
  const row = scores.findIndex((score) => typeof score !== 'number' || !Number.isFinite(score))
  if (row !== -1) {
    throw new SentenceTorchError(
      'ERR_INVALID_DATA',
      `Expected a finite number in scores, row ${row}, but found ${describe(scores[row])}`,
    )
  }
}
