/** Digits, and a point among them, of numbers below 2 ** 53. */
const EXACT_DIGITS = 16
/** By exponent the power of ten. */
const powers = Float64Array.from({ length: 309 }, (_, exponent) => Number(`1e${exponent}`))

/**
 * A number of tokenizer.json as Hugging Face's Rust tokenizers read it: its digits as an integer, divided by a power of ten. That
 * rounds twice, and one number of eight is off in its last bit. The order of sums then decides between equal ways to put a word
 * together, as of a letter that is repeated.
 * @param value as written in as few digits as tell it from all others, which Python and Rust do
 * Source: the Rust crate serde_json without its feature float_roundtrip.
 */
export function asRustReads(value: number): number {
  const text = String(Math.abs(value))
  const point = text.indexOf('.')
  // With so few digits the integer and the power of ten are exact, and so the quotient is rounded once.
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
