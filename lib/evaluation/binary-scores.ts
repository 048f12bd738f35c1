/** Scores of a binary decision by threshold: the parts of BinaryClassificationEvaluator. */
import { descendingOrder } from './order.js'

export interface BinaryScores {
  accuracy: number
  accuracyThreshold: number
  f1: number
  f1Threshold: number
  precision: number
  recall: number
  ap: number
  mcc: number
  /** Whether any threshold was better than none; −1 and 0 stand for a threshold otherwise. */
  foundAccuracy: boolean
  foundF1: boolean
}

/**
 * @param similarities float32, larger is more alike: [rows]
 * @param labels 1 for alike, 0 for not: [rows]
 * @param isDistance whether the similarities are negated distances: thresholds are distances then
 */
export async function binaryScores(
  similarities: Float32Array,
  labels: readonly number[],
  isDistance: boolean,
): Promise<BinaryScores> {
  const order = await descendingOrder(similarities)
  const positives = labels.reduce((sum, label) => sum + label, 0)
  // As there, a threshold lies between two rows, also between two of equal score, and never behind the last one.
  const between = (i: number) => {
    const [a, b] = [similarities[order[i]!]!, similarities[order[i + 1]!]!]
    return Math.fround(Math.fround(a + b) / 2)
  }
  let [bestAccuracy, accuracyAt, bestF1, f1At, precision, recall] = [0, -1, 0, -1, 0, 0]
  let found = 0
  for (let i = 0; i + 1 < order.length; i++) {
    found += labels[order[i]!]!
    const taken = i + 1
    const accuracy = (found + (labels.length - positives - (taken - found))) / labels.length
    if (accuracy > bestAccuracy) [bestAccuracy, accuracyAt] = [accuracy, i]
    if (found === 0) continue
    const [p, r] = [found / taken, found / positives]
    const f1 = (2 * p * r) / (p + r)
    if (f1 > bestF1) [bestF1, f1At, precision, recall] = [f1, i, p, r]
  }
  const sign = isDistance ? -1 : 1
  const f1Similarity = f1At === -1 ? 0 : between(f1At)
  return {
    accuracy: bestAccuracy,
    accuracyThreshold: accuracyAt === -1 ? -1 : sign * between(accuracyAt),
    f1: bestF1,
    f1Threshold: f1At === -1 ? 0 : sign * f1Similarity,
    precision,
    recall,
    ap: averagePrecision(similarities, labels, order),
    mcc: matthews(similarities, labels, f1Similarity),
    foundAccuracy: accuracyAt !== -1,
    foundF1: f1At !== -1,
  }
}

/**
 * Σ (recallₙ − recallₙ₋₁) · precisionₙ over the distinct scores; equal scores are taken together. 0 without a positive.
 * Source: scikit-learn `average_precision_score`.
 * @param order positions by falling score
 */
export function averagePrecision(
  scores: ArrayLike<number>,
  labels: ArrayLike<number>,
  order: ArrayLike<number>,
): number {
  let positives = 0
  for (let i = 0; i < labels.length; i++) positives += labels[i]!
  if (positives === 0) return 0
  let [sum, found, before] = [0, 0, 0]
  for (let i = 0; i < order.length; i++) {
    found += labels[order[i]!]!
    if (i + 1 < order.length && scores[order[i]!] === scores[order[i + 1]!]) continue
    sum += ((found - before) / positives) * (found / (i + 1))
    before = found
  }
  return sum
}

/** Matthews' correlation of the labels with `similarity ≥ threshold`; 0 where one side is constant, as in scikit-learn. */
function matthews(similarities: Float32Array, labels: readonly number[], threshold: number): number {
  let [predicted, positive, correct] = [0, 0, 0]
  const rows = labels.length
  for (let i = 0; i < rows; i++) {
    const guess = similarities[i]! >= threshold ? 1 : 0
    predicted += guess
    positive += labels[i]!
    correct += guess === labels[i] ? 1 : 0
  }
  const trues = [positive, rows - positive]
  const guesses = [predicted, rows - predicted]
  const dot = (a: number[], b: number[]) => a[0]! * b[0]! + a[1]! * b[1]!
  const product = (rows * rows - dot(guesses, guesses)) * (rows * rows - dot(trues, trues))
  return product === 0 ? 0 : (correct * rows - dot(trues, guesses)) / Math.sqrt(product)
}
