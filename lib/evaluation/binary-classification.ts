import { describe } from '../errors.js'
import { checkOptions, ownCopy } from '../options.js'
import { type BinaryScores, binaryScores } from './binary-scores.js'
import {
  COMMON_OPTIONS,
  type CommonOptions,
  checkColumns,
  checkCommon,
  checkSimilarities,
  denseKind,
  type EvaluatorKind,
  invalidData,
  named,
  type SimilarityName,
  suffix,
} from './common.js'
import { pythonFloat, pythonFloat32 } from './csv.js'
import { appendRow } from './csv-row.js'
import { embedOnce } from './embed.js'
import type { EvaluatedModel, EvaluatedRows, EvaluationContext, EvaluationResult } from './evaluator.js'
import { type LabelledTexts, numberLabels, textColumns } from './input-examples.js'
import { similaritiesOfPairs } from './pair-similarities.js'
import { SentenceEvaluator } from './sentence-evaluator.js'

/** `batchSize` is 32 unless given; the CSV file is `binary_classification_evaluation_{name}_results.csv`. */
export interface BinaryClassificationEvaluatorOptions extends CommonOptions {
  sentences1: readonly string[]
  sentences2: readonly string[]
  /** 1 if `sentences1[i]` and `sentences2[i]` are similar, else 0. */
  labels: readonly number[]
  /** The similarities to measure. Default: the model's own. */
  similarityFnNames?: SimilarityName | readonly SimilarityName[]
}

/**
 * How well a threshold on the similarity separates similar pairs from others. A threshold lies between two different
 * scores, above the best score (no pair is similar) or at the last one (all pairs are), so pairs of equal score are never
 * separated. Reported are the thresholds of the best accuracy and of the best F1 (for euclidean and manhattan as
 * distances).
 *
 * Metrics per similarity: `{fn}_accuracy`, `_accuracy_threshold`, `_f1`, `_f1_threshold`, `_precision` and `_recall` (at the
 * F1 threshold), `_ap` (average precision), `_mcc` (Matthews' correlation at the F1 threshold); with several similarities
 * also `max_…` of each. Primary: `{fn}_ap`, or `max_ap`.
 * Source: sentence-transformers `BinaryClassificationEvaluator`.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_INVALID_DATA (lengths, labels other than 0 and 1)
 */
export class BinaryClassificationEvaluator extends SentenceEvaluator {
  override readonly name: string
  readonly #options: BinaryClassificationEvaluatorOptions

  constructor(
    options: BinaryClassificationEvaluatorOptions,
    kind: EvaluatorKind = denseKind('BinaryClassificationEvaluator'),
  ) {
    super()
    const { where } = kind
    const names = ['sentences1', 'sentences2', 'labels', 'similarityFnNames']
    checkOptions(where, options, [...names, ...COMMON_OPTIONS])
    const { sentences1, sentences2, labels } = options
    checkColumns(where, { sentences1, sentences2, labels }, ['sentences1', 'sentences2'])
    const wrong = labels.findIndex((label) => label !== 0 && label !== 1)
    if (wrong !== -1) {
      throw invalidData(`${where}: expected 0 or 1 in labels, row ${wrong}, but found ${describe(labels[wrong])}`)
    }
    checkCommon(where, options)
    checkSimilarities(where, options.similarityFnNames, undefined, kind.similarities)
    this.name = options.name ?? ''
    this.#options = ownCopy(options)
  }

  /** From examples of two texts and a label. Source: `BinaryClassificationEvaluator.from_input_examples`. */
  static fromInputExamples(
    examples: readonly LabelledTexts[],
    options: Omit<BinaryClassificationEvaluatorOptions, 'sentences1' | 'sentences2' | 'labels'> = {},
  ): BinaryClassificationEvaluator {
    const where = 'BinaryClassificationEvaluator'
    const [sentences1, sentences2] = textColumns(where, examples, 2) as [string[], string[]]
    return new BinaryClassificationEvaluator({
      ...options,
      ...{ sentences1, sentences2, labels: numberLabels(where, examples) },
    })
  }

  /** Embeds every different text once and compares; see the class for the metrics. */
  async evaluate(model: EvaluatedModel, context: EvaluationContext = {}): Promise<EvaluationResult> {
    const { sentences1, sentences2, labels, similarityFnNames, writeCsv = true } = this.#options
    const functions = similarityFnNames?.length ? [similarityFnNames].flat() : [model.similarityFnName]
    const options = { batchSize: 32, ...this.#options }
    const [first, second] = await embedOnce(model, [sentences1, sentences2], options, context)
    const scores: BinaryScores[] = []
    let rows: EvaluatedRows | undefined
    for (const fn of functions) {
      const isDistance = fn === 'euclidean' || fn === 'manhattan'
      const similarities = await similaritiesOfPairs(fn, first!, second!)
      scores.push(await binaryScores(similarities, labels, isDistance))
      if (context.items)
        rows ??= { kind: 'pairs', texts1: sentences1, texts2: sentences2, gold: labels, scores: similarities }
    }
    if (context.outputPath !== undefined && writeCsv) {
      await appendRow(
        context,
        `binary_classification_evaluation${suffix(this.name)}_results.csv`,
        functions.flatMap((fn) => CSV_METRICS.map((metric) => `${fn}_${metric}`)),
        scores.flatMap(cells),
      )
    }
    const metrics: Record<string, number> = {}
    functions.forEach((fn, i) => {
      for (const [metric, value] of METRICS) metrics[`${fn}_${metric}`] = value(scores[i]!)
    })
    if (functions.length === 1) return named(this.name, metrics, `${functions[0]}_ap`, undefined, rows)
    for (const [metric, value] of METRICS) metrics[`max_${metric}`] = Math.max(...scores.map(value))
    return named(this.name, metrics, 'max_ap', undefined, rows)
  }
}

const METRICS: readonly [name: string, value: (scores: BinaryScores) => number][] = [
  ['accuracy', ({ accuracy }) => accuracy],
  ['accuracy_threshold', ({ accuracyThreshold }) => accuracyThreshold],
  ['f1', ({ f1 }) => f1],
  ['f1_threshold', ({ f1Threshold }) => f1Threshold],
  ['precision', ({ precision }) => precision],
  ['recall', ({ recall }) => recall],
  ['ap', ({ ap }) => ap],
  ['mcc', ({ mcc }) => mcc],
]

/** The file and the metrics have different orders. */
const CSV_METRICS = ['accuracy', 'accuracy_threshold', 'f1', 'precision', 'recall', 'f1_threshold', 'ap', 'mcc']

/** The reference writes thresholds as float32, and the initial F1 as an integer. */
function cells(scores: BinaryScores): string[] {
  const { accuracy, accuracyThreshold, f1, precision, recall, f1Threshold, ap, mcc } = scores
  return [
    ...[pythonFloat(accuracy), pythonFloat32(accuracyThreshold)],
    ...(f1 > 0 ? [...[f1, precision, recall].map(pythonFloat), pythonFloat32(f1Threshold)] : ['0', '0', '0', '0']),
    pythonFloat(ap),
    pythonFloat(mcc),
  ]
}
