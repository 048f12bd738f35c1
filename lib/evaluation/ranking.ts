/** Measures of one ranked list, with relevance 0 or 1. */

/** 1 / rank of the first relevant document among the first `k`; 0 without any. */
export function reciprocalRank(relevant: ArrayLike<number>, k: number): number {
  for (let i = 0; i < Math.min(k, relevant.length); i++) if (relevant[i]) return 1 / (i + 1)
  return 0
}

/** Σ relevanceᵢ / log₂(i + 1) over the first `k`, i from 1. */
export function discountedGain(relevant: ArrayLike<number>, k: number): number {
  let gain = 0
  for (let i = 0; i < Math.min(k, relevant.length); i++) gain += relevant[i]! / Math.log2(i + 2)
  return gain
}

/** The gain of `count` relevant documents at the top. */
export function idealGain(count: number, k: number): number {
  let gain = 0
  for (let i = 0; i < Math.min(k, count); i++) gain += 1 / Math.log2(i + 2)
  return gain
}

/**
 * Normalised discounted cumulative gain at `k`. Documents of equal score share the mean of the gains of their positions, so
 * that their order does not matter. 0 when nothing is relevant.
 * Source: scikit-learn `ndcg_score`.
 * @param order positions by falling score
 */
export function ndcgWithTies(
  relevant: ArrayLike<number>,
  scores: ArrayLike<number>,
  order: ArrayLike<number>,
  k: number,
): number {
  let total = 0
  for (let i = 0; i < relevant.length; i++) total += relevant[i]!
  if (total === 0) return 0
  let gain = 0
  for (let first = 0; first < order.length; ) {
    let [end, group, discount] = [first, 0, 0]
    for (; end < order.length && scores[order[end]!] === scores[order[first]!]; end++) {
      group += relevant[order[end]!]!
      if (end < k) discount += 1 / Math.log2(end + 2)
    }
    gain += (group / (end - first)) * discount
    first = end
  }
  return gain / idealGain(total, k)
}
