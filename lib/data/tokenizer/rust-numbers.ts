/** Limit of digits, including a point, of numbers below 2 ** 53. */
const EXACT_DIGITS = 16
/** The powers of ten, by exponent. */
const powers = Float64Array.from({ length: 309 }, (_, exponent) => Number(`1e${exponent}`))

/**
 * A number of tokenizer.json as Hugging Face's Rust tokenizers read it: its digits as an integer, divided by a power of
 * ten. That rounds twice, so one number in eight differs in its last bit. Such bits decide between equal ways to compose a
 * word, for example one of a repeated letter.
 * @param value in its shortest decimal form, which Python and Rust write
 * Source: the Rust crate serde_json without its feature float_roundtrip.
 */
export function asRustReads(value: number): number {
  const text = String(Math.abs(value))
  const point = text.indexOf('.')
  // With so few digits, the integer and the power of ten are exact, so the quotient is rounded once.
  if (text.length <= EXACT_DIGITS && !text.includes('e')) return value
  const end = text.indexOf('e')
  const mantissa = end === -1 ? text : text.slice(0, end)
  let power = end === -1 ? 0 : Number(text.slice(end + 1))
  let result: number
  if (point === -1) result = Number(mantissa)
  else {
    result = Number(mantissa.slice(0, point) + mantissa.slice(point + 1))
    power -= mantissa.length - point - 1
  }
  for (; power < -308; power += 308) result /= 1e308
  result = power < 0 ? result / powers[-power]! : result * powers[power]!
  return value < 0 ? -result : result
}
