/** Numbers of embeddings as JSON. */

const MINUS = 45
const POINT = 46
const ZERO = 48
const COMMA = 44
const OPEN = 91
const CLOSE = 93
/** Bytes of a number at most, with its comma. */
const MOST = 25
/** From here up to 1, the next float32 is further away than 10⁻⁹: nine decimals are enough. */
const NINE = 2 ** -6
/** Decimals that are tried for smaller numbers, the fewest first, and what they multiply by. */
const SHORT = [9, 10, 11].map((decimals) => ({ decimals, power: 10 ** decimals }))
/** What others are multiplied by: numbers from 1 on are a ten-millionth apart, or more. */
const POWER = 1e7

/** The digits of 0 to 99. */
const PAIRS = Uint8Array.from({ length: 200 }, (_, i) => ZERO + (i % 2 === 0 ? Math.floor(i / 20) : (i >> 1) % 10))

let scratch = Buffer.alloc(0)

/**
 * A row as JSON: each number with few decimals, and still the same float32 when it is read. As doubles they have twice as many digits:
 * JSON.stringify took three times as long, and clients take twice as long to read them.
 */
export function jsonRow(row: Float32Array): string {
  const bytes = row.length * MOST + 2
  if (scratch.length < bytes) scratch = Buffer.allocUnsafe(bytes)
  scratch[0] = OPEN
  let at = 1
  for (let i = 0; i < row.length; i++) {
    if (i > 0) scratch[at++] = COMMA
    at = writeNumber(row[i]!, at)
  }
  scratch[at++] = CLOSE
  return scratch.toString('latin1', 0, at)
}

/** @returns the place behind it */
function writeNumber(value: number, at: number): number {
  const size = Math.abs(value)
  if (size >= 1) {
    const rounded = Math.round(value * POWER) / POWER
    return writeText(Math.fround(rounded) === value ? rounded : value, at)
  }
  if (size >= NINE) return writeFraction(value < 0, Math.round(size * 1e9), 9, at)
  for (const { decimals, power } of SHORT) {
    const digits = Math.round(size * power)
    if (Math.fround(digits / power) !== size) continue
    return digits === 0 ? writeText(0, at) : writeFraction(value < 0, digits, decimals, at)
  }
  return writeText(value, at)
}

function writeFraction(isNegative: boolean, digits: number, decimals: number, start: number): number {
  let at = start
  if (isNegative) scratch[at++] = MINUS
  scratch[at++] = ZERO
  scratch[at++] = POINT
  // Two parts, each small enough for the arithmetic of integers.
  const high = Math.floor(digits / 1e6)
  writeDigits(high, decimals - 6, at)
  writeDigits(digits - high * 1e6, 6, at + decimals - 6)
  at += decimals
  while (scratch[at - 1] === ZERO) at--
  return at
}

function writeDigits(digits: number, count: number, at: number): void {
  let rest = digits | 0
  let i = at + count
  for (; i > at + 1; i -= 2) {
    const next = (rest / 100) | 0
    const pair = 2 * (rest - next * 100)
    scratch[i - 1] = PAIRS[pair + 1]!
    scratch[i - 2] = PAIRS[pair]!
    rest = next
  }
  if (i > at) scratch[at] = ZERO + rest
}

function writeText(value: number, at: number): number {
  // As JSON.stringify has NaN and infinities.
  return at + scratch.write(Number.isFinite(value) ? String(value) : 'null', at, 'latin1')
}
