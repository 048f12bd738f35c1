/** Correlations of many resamples of the same rows, each in time that is linear in the rows: nothing is sorted again. */

/** A column of scores, prepared once. */
export interface RankColumn {
  values: Float64Array
  /** Rows by rising value; undefined where the values themselves count. */
  order?: Uint32Array
  /** Room for the ranks of a resample. */
  ranks: Float64Array
}

/** @param isRanked whether the ranks of the values count, and not the values */
export function rankColumn(given: ArrayLike<number>, isRanked: boolean): RankColumn {
  const values = Float64Array.from(given)
  const order = Uint32Array.from(values, (_, i) => i)
  order.sort((a, b) => values[a]! - values[b]!)
  return { values, ...(isRanked && { order }), ranks: new Float64Array(values.length) }
}

/** Pearson's correlation of two columns in which row i is there `counts[i]` times; NaN where one is constant. */
export function correlationOfCounts(x: RankColumn, y: RankColumn, counts: Uint16Array): number {
  return weightedPearson(valuesOf(x, counts), valuesOf(y, counts), counts)
}

/** The values, or their ranks in the resample: a row that is there twice takes two ranks, equal values share their mean. */
function valuesOf({ values, order, ranks }: RankColumn, counts: Uint16Array): Float64Array {
  if (order === undefined) return values
  let before = 0
  for (let first = 0; first < order.length; ) {
    const value = values[order[first]!]!
    let end = first
    let rows = 0
    while (end < order.length && values[order[end]!] === value) rows += counts[order[end++]!]!
    const rank = before + (rows + 1) / 2
    for (let i = first; i < end; i++) ranks[order[i]!] = rank
    before += rows
    first = end
  }
  return ranks
}

function weightedPearson(x: Float64Array, y: Float64Array, counts: Uint16Array): number {
  let [total, sumX, sumY] = [0, 0, 0]
  for (let i = 0; i < counts.length; i++) {
    total += counts[i]!
    sumX += counts[i]! * x[i]!
    sumY += counts[i]! * y[i]!
  }
  const [meanX, meanY] = [sumX / total, sumY / total]
  let [xx, yy, xy] = [0, 0, 0]
  let [constantX, constantY] = [true, true]
  let first = -1
  for (let i = 0; i < counts.length; i++) {
    const count = counts[i]!
    if (count === 0) continue
    if (first < 0) first = i
    // By comparison, because the mean of equal values may have a rounding error.
    constantX &&= x[i] === x[first]
    constantY &&= y[i] === y[first]
    const [dx, dy] = [x[i]! - meanX, y[i]! - meanY]
    xx += count * dx * dx
    yy += count * dy * dy
    xy += count * dx * dy
  }
  return constantX || constantY ? Number.NaN : Math.max(-1, Math.min(1, xy / Math.sqrt(xx * yy)))
}
