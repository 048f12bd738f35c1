/** Numbers in CSV files, by the rules of pandas and so of Python's `datasets`. */

const space = '[ \\t\\n\\v\\f\\r]*'
const number = new RegExp(`^${space}([+-]?(?:\\d+(?:\\.\\d*)?|\\.\\d+)(?:[eE][+-]?\\d+)?)${space}$`)
const infinite = /^([+-]?)inf(?:inity)?$/i
const truth = /^(?:true|false)$/i

/** Texts of a missing value. */
const missing = new Set(
  ' #N/A #N/A_N/A #NA -1.#IND -1.#QNAN -NaN -nan 1.#IND 1.#QNAN <NA> N/A NA NULL NaN None n/a nan null'
    .split(' ')
    .map((text) => text.replace('_', ' ')),
)

/**
 * The number that `text` shows, or undefined for none: decimal digits with an optional point and exponent, surrounded
 * by optional blanks; `inf` and `infinity`. `0x10`, `1_000` and `1,000` are texts. An integer that a number cannot hold
 * exactly becomes a bigint.
 */
export function parseNumber(text: string): number | bigint | undefined {
  // + 0, because "-0" is the integer 0.
  if (isPlain(text)) return Number(text) + 0
  const digits = number.exec(text)?.[1]
  if (digits === undefined) {
    const sign = infinite.exec(text)?.[1]
    return sign === undefined ? undefined : sign === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  }
  const value = Number(digits)
  if (!Number.isInteger(value) || /[.eE]/.test(digits)) return value
  return Number.isSafeInteger(value) ? value + 0 : BigInt(digits.replace('+', ''))
}

/** Whether `text` is digits with an optional point, few enough for a number to hold exactly. Nearly all numbers are. */
function isPlain(text: string): boolean {
  if (text.length > 15) return false
  let digits = 0
  let points = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code >= 0x30 && code <= 0x39) digits++
    else if (code === 0x2e && digits > 0) points++
    else if (code !== 0x2d || at > 0) return false
  }
  return digits > 0 && points < 2
}

/** Whether `text` is `true` or `false` in any case. */
export function isBoolean(text: string): boolean {
  return truth.test(text)
}

export function isMissing(text: string): boolean {
  return missing.has(text)
}
