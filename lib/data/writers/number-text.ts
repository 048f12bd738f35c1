/**
 * A number in decimal digits that every reader takes for the same number. Whole numbers beyond 2^53 get an exponent: without
 * one they would be read as exact integers.
 */
export function numberText(value: number): string {
  if (Object.is(value, -0)) return '-0'
  if (value === Number.POSITIVE_INFINITY) return 'inf'
  if (value === Number.NEGATIVE_INFINITY) return '-inf'
  return Number.isInteger(value) && !Number.isSafeInteger(value) ? value.toExponential() : String(value)
}
