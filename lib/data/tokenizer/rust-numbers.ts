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
  const [mantissa, exponent = '0'] = text.split('e') as [string, string?]
  const point = mantissa.indexOf('.')
  // Most integers, and all that are exact.
  if (point === -1 && exponent === '0') return value
  const decimals = point === -1 ? 0 : mantissa.length - point - 1
  let result = Number(mantissa.replace('.', ''))
  let power = Number(exponent) - decimals
  for (; power < -308; power += 308) result /= 1e308
  result = power < 0 ? result / powers[-power]! : result * powers[power]!
  return value < 0 ? -result : result
}
