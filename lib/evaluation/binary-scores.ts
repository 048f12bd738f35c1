/** Scores of a binary decision by threshold: the parts of BinaryClassificationEvaluator. */
import { descendingOrder } from './order.js'

export interface BinaryScores {
  accuracy: number
  accuracyThreshold: number
  /** 0 if no pair is similar; threshold, precision and recall are then 0 too. */
  f1: number
  f1Threshold: number
  precision: number
  recall: number
  ap: number
  mcc: number
}

/**
 * The thresholds of best accuracy and best F1. Rows of equal score are never separated: a threshold lies between two different
 * scores, above the best one (no pair is similar) or at the last one (all are). Of equally good thresholds the highest counts.
 * Source: sentence-transformers `BinaryClassificationEvaluator`, `find_best_acc_and_threshold`, `find_best_f1_and_threshold`.
 * @param similarities float32, larger is more similar: [rows], at least one
 * @param labels 1 for similar, 0 for not: [rows]
 * @param isDistance whether the similarities are negated distances: thresholds are distances then
 */
export async function binaryScores(
  similarities: Float32Array,
  labels: readonly number[],
  isDistance: boolean,
): Promise<BinaryScores> {
  const order = await descendingOrder(similarities)
  const rows = order.length
  const positives = labels.reduce((sum, label) => sum + label, 0)
  const score = (i: number) => similarities[order[i]!]!
  // The cut is after row i. −1: it is before the first row, so no pair is similar.
  let [bestAccuracy, accuracyAt, bestF1, f1At, precision, recall] = [(rows - positives) / rows, -1, 0, -1, 0, 0]
  let found = 0
  for (let i = 0; i < rows; i++) {
    found += labels[order[i]!]!
    if (i + 1 < rows && score(i) === score(i + 1)) continue
    const taken = i + 1
    const accuracy = (found + (rows - positives - (taken - found))) / rows
    if (accuracy > bestAccuracy) [bestAccuracy, accuracyAt] = [accuracy, i]
    if (found === 0) continue
    const [p, r] = [found / taken, found / positives]
    const f1 = (2 * p * r) / (p + r)
    if (f1 > bestF1) [bestF1, f1At, precision, recall] = [f1, i, p, r]
  }
  /** The lowest similarity that counts as similar if exactly the first `i + 1` rows do. */
  const cut = (i: number) => {
    if (i === -1) return nextAbove(score(0))
    if (i + 1 === rows) return score(i)
    const middle = Math.fround((score(i) + score(i + 1)) / 2)
    // A middle that rounds up to the next score would include that score.
    return middle === score(i + 1) ? score(i) : middle
  }
  const sign = isDistance ? -1 : 1
  const f1Similarity = f1At === -1 ? 0 : cut(f1At)
  return {
    accuracy: bestAccuracy,
    accuracyThreshold: sign * cut(accuracyAt),
    f1: bestF1,
    // Not −0.
    f1Threshold: f1At === -1 ? 0 : sign * f1Similarity,
    precision,
    recall,
    ap: averagePrecision(similarities, labels, order),
    mcc: matthews(similarities, labels, f1Similarity),
  }
}

/** The least float32 above `value`. */
function nextAbove(value: number): number {
  if (value === Number.POSITIVE_INFINITY) return value
  const float = new Float32Array([value])
  const bits = new Int32Array(float.buffer)
  if (float[0] === 0) bits[0] = 1
  else bits[0]! += float[0]! > 0 ? 1 : -1
  return float[0]!
}

/**
 * Σ (recallₙ − recallₙ₋₁) · precisionₙ over the distinct scores. Equal scores form one step. 0 without a positive.
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
