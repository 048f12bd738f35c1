// Medians, spreads, correlations.

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]
}

/** Half the distance from the least to the largest, in percent of the median. */
export function spread(values) {
  return (50 * (Math.max(...values) - Math.min(...values))) / median(values)
}

/** Ranks from 1; equal values share the mean of theirs. */
function ranks(values) {
  const order = values.map((_, i) => i).sort((a, b) => values[a] - values[b])
  const out = new Float64Array(values.length)
  for (let first = 0; first < order.length; ) {
    let end = first + 1
    while (end < order.length && values[order[end]] === values[order[first]]) end++
    for (let i = first; i < end; i++) out[order[i]] = (first + end + 1) / 2
    first = end
  }
  return out
}

export function spearman(a, b) {
  const [x, y] = [ranks(a), ranks(b)]
  const mean = (x.length + 1) / 2
  let [xy, xx, yy] = [0, 0, 0]
  for (let i = 0; i < x.length; i++) {
    xy += (x[i] - mean) * (y[i] - mean)
    xx += (x[i] - mean) ** 2
    yy += (y[i] - mean) ** 2
  }
  return xy / Math.sqrt(xx * yy)
}

/** Spearman correlation of `scores` with the cosines of rows i and i + n of `embeddings` [2n, width]. */
export function pairSpearman(embeddings, scores) {
  const n = scores.length
  const width = embeddings.length / (2 * n)
  const cosines = scores.map((_, i) => {
    const [a, b] = [i, i + n].map((row) => embeddings.subarray(row * width, (row + 1) * width))
    let [ab, aa, bb] = [0, 0, 0]
    for (let d = 0; d < width; d++) {
      ab += a[d] * b[d]
      aa += a[d] * a[d]
      bb += b[d] * b[d]
    }
    return ab / Math.sqrt(aa * bb)
  })
  return spearman(cosines, scores)
}

export function maxDifference(a, b) {
  if (a.length !== b.length) throw new Error(`Expected as many numbers as ${a.length} but found ${b.length}`)
  return a.reduce((worst, value, i) => Math.max(worst, Math.abs(value - b[i])), 0)
}

/** Slope of the line through points [x, y]: the median of those of all pairs (Theil and Sen), which single leaps do not move. */
export function robustSlope(points) {
  const slopes = points.flatMap(([x, y], i) => points.slice(i + 1).map(([u, v]) => (v - y) / (u - x)))
  return median(slopes.filter(Number.isFinite))
}
