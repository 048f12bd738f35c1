/** Digits of integers that are exact in a float64. */
export const EXACT_DIGITS = 15
/** Limit of the digits behind those. */
const MORE_DIGITS = 4
/** The powers of ten that are exact in a float64. */
const powers = Float64Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`))
/** Splits a float64 into two halves of at most 26 bits. */
const SPLIT = 2 ** 27 + 1
/** More than the relative error of a correction. */
const MARGIN = 2 ** -40

/**
 * The float64 nearest to a decimal number, as `Number` reads its text.
 * @param high its first digits as an integer, at most {@link EXACT_DIGITS}
 * @param low the digits behind those as an integer
 * @param count number of digits in `low`
 * @param decimals number of digits behind the point
 * @returns NaN where that takes more digits than are looked at here
 */
export function decimal(high: number, low: number, count: number, decimals: number): number {
  if (decimals >= powers.length || count > MORE_DIGITS) return Number.NaN
  const divisor = powers[decimals]!
  // Both are exact, so the quotient is rounded once.
  if (count === 0) return high / divisor
  // The digits as the sum of two numbers. Each product is exact.
  const upper = Math.floor(high / 2 ** 25)
  const shift = powers[count]!
  const [a, b] = [upper * shift * 2 ** 25, (high - upper * 2 ** 25) * shift + low]
  const sum = a + b
  const error = b - (sum - a)
  // What the first quotient leaves, from the exact product of quotient and divisor (Dekker).
  const quotient = sum / divisor
  const product = quotient * divisor
  const q = upperHalf(quotient)
  const d = upperHalf(divisor)
  const rest = q * d - product + q * (divisor - d) + (quotient - q) * d + (quotient - q) * (divisor - d)
  const correction = (sum - product + (error - rest)) / divisor
  const value = quotient + correction * (1 + MARGIN)
  // Otherwise it is too close to the middle between two numbers.
  return value === quotient + correction * (1 - MARGIN) ? value : Number.NaN
}

function upperHalf(value: number): number {
  const scaled = value * SPLIT
  return scaled - (scaled - value)
}
