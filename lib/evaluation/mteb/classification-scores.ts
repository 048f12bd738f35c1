/** MTEB's scores of one classification experiment. Macro means, unless weighted by the classes' rows. */
export interface ClassificationScores {
  accuracy: number
  f1: number
  f1_weighted: number
  precision: number
  precision_weighted: number
  recall: number
  recall_weighted: number
}

/**
 * Scores of predicted classes. A class counts if it occurs in the labels or predictions. A division by 0 gives 0.
 * Source: scikit-learn `f1_score`, `precision_score`, `recall_score`.
 * @param counts how often each row is there. Default: once
 */
export function classificationScores(
  labels: ArrayLike<number>,
  predicted: ArrayLike<number>,
  classes: number,
  counts?: ArrayLike<number>,
): ClassificationScores {
  const [right, guessed, support] = [new Float64Array(classes), new Float64Array(classes), new Float64Array(classes)]
  for (let i = 0; i < labels.length; i++) {
    const count = counts ? counts[i]! : 1
    support[labels[i]!]! += count
    guessed[predicted[i]!]! += count
    if (labels[i] === predicted[i]) right[labels[i]!]! += count
  }
  const ratio = (a: number, b: number) => (b === 0 ? 0 : a / b)
  const present = [...support.keys()].filter((k) => support[k]! + guessed[k]! > 0)
  const macro = (score: (k: number) => number) => present.reduce((sum, k) => sum + score(k), 0) / present.length
  const weighted = (score: (k: number) => number) =>
    present.reduce((sum, k) => sum + score(k) * support[k]!, 0) / labels.length
  const precision = (k: number) => ratio(right[k]!, guessed[k]!)
  const recall = (k: number) => ratio(right[k]!, support[k]!)
  const f1 = (k: number) => ratio(2 * right[k]!, guessed[k]! + support[k]!)
  return {
    accuracy: right.reduce((sum, count) => sum + count, 0) / labels.length,
    f1: macro(f1),
    f1_weighted: weighted(f1),
    precision: macro(precision),
    precision_weighted: weighted(precision),
    recall: macro(recall),
    recall_weighted: weighted(recall),
  }
}
