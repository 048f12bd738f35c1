/** What the text of a number means: the rules by which pandas, and so Python's `datasets`, reads a CSV file. */

const space = '[ \\t\\n\\v\\f\\r]*'
const number = new RegExp(`^${space}([+-]?(?:\\d+(?:\\.\\d*)?|\\.\\d+)(?:[eE][+-]?\\d+)?)${space}$`)
const infinite = /^([+-]?)inf(?:inity)?$/i
const truth = /^(?:true|false)$/i

/** Texts that stand for a value that is not there. */
const missing = new Set(
  ' #N/A #N/A_N/A #NA -1.#IND -1.#QNAN -NaN -nan 1.#IND 1.#QNAN <NA> N/A NA NULL NaN None n/a nan null'
    .split(' ')
    .map((text) => text.replace('_', ' ')),
)

/**
 * The number that `text` is, or undefined when it is none: decimal digits, perhaps with a point, an exponent, blanks around;
 * `inf` and `infinity`. `0x10`, `1_000` and `1,000` are texts. An integer that a number cannot hold exactly is a bigint.
 */
export function parseNumber(text: string): number | bigint | undefined {
  // + 0: "-0" is the integer 0.
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

/** Whether `text` is digits, perhaps with a "." between them, so few that a number holds them exactly: nearly all numbers. */
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

/** Whether `text` is `true` or `false`, in capitals or not. */
export function isBoolean(text: string): boolean {
  return truth.test(text)
}

export function isMissing(text: string): boolean {
  return missing.has(text)
}
