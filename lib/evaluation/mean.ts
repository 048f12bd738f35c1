/**
 * The mean as numpy computes it: each half is summed by itself, down to blocks of 128, which are summed in eight parts. So
 * even the last digits of metrics equal Python's, and rounding errors do not accumulate.
 */
export function mean(values: ArrayLike<number>): number {
  return pairwiseSum(values, 0, values.length) / values.length
}

/** The mean, summed from the first value to the last. */
export function meanInOrder(values: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i]!
  return sum / values.length
}

function pairwiseSum(values: ArrayLike<number>, start: number, count: number): number {
  if (count > 128) {
    const half = Math.floor(count / 16) * 8
    return pairwiseSum(values, start, half) + pairwiseSum(values, start + half, count - half)
  }
  let sum = 0
  let i = 0
  if (count >= 8) {
    const r = Array.from({ length: 8 }, (_, j) => values[start + j]!)
    for (i = 8; i + 8 <= count; i += 8) for (let j = 0; j < 8; j++) r[j]! += values[start + i + j]!
    sum = r[0]! + r[1]! + (r[2]! + r[3]!) + (r[4]! + r[5]! + (r[6]! + r[7]!))
  }
  for (; i < count; i++) sum += values[start + i]!
  return sum
}
