import { orderOf } from './order.js'

/** Pearson's correlation in double precision; NaN when a side is constant. Source: scipy `pearsonr`. */
export function pearson(x: ArrayLike<number>, y: ArrayLike<number>): number {
  // Checked first, because the mean of equal values can have a rounding error, and the result would be the correlation of
  // noise.
  if (isConstant(x) || isConstant(y)) return Number.NaN
  const unitX = centredUnit(x)
  const unitY = centredUnit(y)
  let r = 0
  for (let i = 0; i < unitX.length; i++) r += unitX[i]! * unitY[i]!
  return Math.max(-1, Math.min(1, r))
}

/** Spearman's rank correlation, ties at their average rank; NaN when a side is constant. Source: scipy `spearmanr`. */
export function spearman(x: ArrayLike<number>, y: ArrayLike<number>): number {
  return pearson(averageRanks(x), averageRanks(y))
}

/** `spearman` in slices, so that many values do not block the event loop. */
export async function spearmanInSlices(x: ArrayLike<number>, y: ArrayLike<number>): Promise<number> {
  const ranks = async (values: ArrayLike<number>) =>
    ranksOf(values, await orderOf(values.length, (a, b) => values[a]! - values[b]!))
  return pearson(await ranks(x), await ranks(y))
}

/** Ranks from 1; equal values share the mean of their ranks. */
export function averageRanks(values: ArrayLike<number>): Float64Array {
  const order = Uint32Array.from({ length: values.length }, (_, i) => i).sort((a, b) => values[a]! - values[b]!)
  return ranksOf(values, order)
}

/** @param order positions by rising value */
function ranksOf(values: ArrayLike<number>, order: Uint32Array): Float64Array {
  const ranks = new Float64Array(values.length)
  for (let first = 0; first < order.length; ) {
    let end = first + 1
    while (end < order.length && values[order[end]!] === values[order[first]!]) end++
    for (let i = first; i < end; i++) ranks[order[i]!] = (first + 1 + end) / 2
    first = end
  }
  return ranks
}

/** The values minus their mean, divided by their Euclidean length. */
function centredUnit(values: ArrayLike<number>): Float64Array {
  const centred = Float64Array.from(values)
  const mean = centred.reduce((sum, value) => sum + value, 0) / centred.length
  let largest = 0
  for (let i = 0; i < centred.length; i++) {
    centred[i]! -= mean
    largest = Math.max(largest, Math.abs(centred[i]!))
  }
  // Scaled first, so that squares of huge or tiny values stay in range.
  let squares = 0
  for (let i = 0; i < centred.length; i++) {
    centred[i]! /= largest
    squares += centred[i]! ** 2
  }
  const length = Math.sqrt(squares)
  return centred.map((value) => value / length)
}

function isConstant(values: ArrayLike<number>): boolean {
  for (let i = 1; i < values.length; i++) if (values[i] !== values[0]) return false
  return true
}
