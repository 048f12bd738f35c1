import { describe } from '../../errors.js'
import type { Pair, Scores } from '../../models/cross-encoder.js'
import { checkOptions, ownCopy } from '../../options.js'
import { type BinaryScores, binaryScores } from '../binary-scores.js'
import { contextCells, invalidData, mean, named, suffix } from '../common.js'
import { appendCsv, pythonFloat, pythonFloat32 } from '../csv.js'
import type { EvaluationContext, EvaluationResult, MetricItems } from '../evaluator.js'
import { SentenceEvaluator } from '../sentence-evaluator.js'
import {
  checkLabelledPairs,
  checkPairOptions,
  type EvaluatedCrossEncoder,
  PAIR_OPTIONS,
  type PairOptions,
  pairRows,
  predict,
} from './common.js'

/** `batchSize` is 32 unless given; the CSV file is `CrossEncoderClassificationEvaluator_{name}_results.csv`. */
export interface CrossEncoderClassificationEvaluatorOptions extends PairOptions {
  sentencePairs: readonly Pair[]
  /** The class of each pair: 0 or 1 for models with one label, else 0 … numLabels − 1. */
  labels: readonly number[]
}

/**
 * How well a cross-encoder classifies pairs.
 *
 * Metrics for one label: `accuracy`, `accuracy_threshold`, `f1`, `f1_threshold`, `precision`, `recall` (each with the best
 * threshold, which never separates pairs of equal score) and `average_precision`, the primary one. For several labels, the
 * highest wins, of equal ones the first: `f1_macro` (primary), `f1_micro`, `f1_weighted`.
 * Source: sentence-transformers `CrossEncoderClassificationEvaluator`.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_INVALID_DATA
 */
export class CrossEncoderClassificationEvaluator extends SentenceEvaluator<EvaluatedCrossEncoder> {
  override readonly name: string
  readonly #options: CrossEncoderClassificationEvaluatorOptions

  constructor(options: CrossEncoderClassificationEvaluatorOptions) {
    super()
    const where = 'CrossEncoderClassificationEvaluator'
    checkOptions(where, options, ['sentencePairs', 'labels', ...PAIR_OPTIONS])
    checkPairOptions(where, options)
    checkLabelledPairs(where, options.sentencePairs, 'labels', options.labels)
    const row = options.labels.findIndex((label) => !Number.isInteger(label) || label < 0)
    if (row !== -1) {
      const found = describe(options.labels[row])
      throw invalidData(`Expected a whole number of at least 0 in ${where} labels, row ${row}, but found ${found}`)
    }
    this.name = options.name ?? ''
    this.#options = ownCopy(options)
  }

  async evaluate(model: EvaluatedCrossEncoder, context: EvaluationContext = {}): Promise<EvaluationResult> {
    const { sentencePairs, labels, writeCsv = true } = this.#options
    const scores = await predict(model, sentencePairs, this.#options, context)
    const found = model.numLabels === 1 ? await this.#binary(scores) : classes(scores, labels, model.numLabels)
    if (context.outputPath !== undefined && writeCsv) {
      await appendCsv(
        context.outputPath,
        `CrossEncoderClassificationEvaluator${suffix(this.name)}_results.csv`,
        ['epoch', 'steps', ...found.headers],
        [...contextCells(context), ...found.cells],
      )
    }
    if (!context.items) return named(this.name, found.metrics, found.primary)
    const rows = model.numLabels === 1 ? pairRows(sentencePairs, labels, scores.data) : undefined
    return named(this.name, found.metrics, found.primary, found.items ?? {}, rows)
  }

  async #binary({ data }: Scores): Promise<Found> {
    const { labels } = this.#options
    const row = labels.findIndex((label) => label > 1)
    if (row !== -1) {
      throw invalidData(
        `A model with one label needs labels 0 and 1, but CrossEncoderClassificationEvaluator has ${labels[row]} in row ${row}`,
      )
    }
    const scores = await binaryScores(data, labels, false)
    return {
      metrics: {
        accuracy: scores.accuracy,
        accuracy_threshold: scores.accuracyThreshold,
        f1: scores.f1,
        f1_threshold: scores.f1Threshold,
        precision: scores.precision,
        recall: scores.recall,
        average_precision: scores.ap,
      },
      primary: 'average_precision',
      headers: ['Accuracy', 'Accuracy_Threshold', 'F1', 'F1_Threshold', 'Precision', 'Recall', 'Average_Precision'],
      cells: binaryCells(scores),
    }
  }
}

interface Found {
  metrics: Record<string, number>
  primary: string
  headers: string[]
  cells: string[]
  /** Of metrics that are means of pairs. */
  items?: Record<string, MetricItems>
}

/** Thresholds are float32 in Python, and the initial F1 is an integer. */
function binaryCells(scores: BinaryScores): string[] {
  const { accuracy, accuracyThreshold, f1, f1Threshold, precision, recall, ap } = scores
  return [
    ...[pythonFloat(accuracy), pythonFloat32(accuracyThreshold)],
    ...(f1 > 0
      ? [pythonFloat(f1), pythonFloat32(f1Threshold), pythonFloat(precision), pythonFloat(recall)]
      : ['0', '0', '0', '0']),
    pythonFloat(ap),
  ]
}

/** F1 of the classes that occur in labels or predictions. Source: scikit-learn `f1_score`. */
function classes({ data }: Scores, labels: readonly number[], width: number): Found {
  const counts = new Map<number, { hits: number; predicted: number; there: number }>()
  const of = (label: number) => {
    const known = counts.get(label) ?? { hits: 0, predicted: 0, there: 0 }
    counts.set(label, known)
    return known
  }
  const right: number[] = []
  labels.forEach((label, row) => {
    let guess = 0
    for (let i = 1; i < width; i++) if (data[row * width + i]! > data[row * width + guess]!) guess = i
    of(label).there++
    of(guess).predicted++
    right.push(Number(guess === label))
    if (guess === label) of(label).hits++
  })
  const all = [...counts].sort(([a], [b]) => a - b).map(([, count]) => count)
  const f1 = all.map(({ hits, predicted, there }) => (2 * hits) / (predicted + there))
  const metrics = {
    f1_macro: mean(f1),
    f1_micro: mean(right),
    f1_weighted: f1.reduce((sum, value, i) => sum + value * all[i]!.there, 0) / labels.length,
  }
  return {
    metrics,
    primary: 'f1_macro',
    headers: ['Macro_F1', 'Micro_F1', 'Weighted_F1'],
    cells: Object.values(metrics).map(pythonFloat),
    items: { f1_micro: { scores: right } },
  }
}
