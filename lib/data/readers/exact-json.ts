import { randomUUID } from 'node:crypto'
import { MAX_DEPTH } from '../../io/schema.js'
import { stringEnd } from './json-text.js'

const number = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y
/** Python's limit too. Parsing time grows faster than the number of digits. */
const MAX_DIGITS = 4300
/** No text of a file begins like this. */
const mark = `bigint ${randomUUID()} `

/**
 * Whether a parsed `value` holds an integer so large that parsing may have changed its digits.
 * @throws RangeError when it is nested too deep
 */
export function hasLostDigits(value: unknown, depth = MAX_DEPTH): boolean {
  if (typeof value === 'number') return !isExact(value)
  if (typeof value !== 'object' || value === null) return false
  if (depth === 1) throw new RangeError(`lists and objects within each other, more than ${MAX_DEPTH}`)
  let lost = false
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const entry: unknown = value[i]
      if (typeof entry === 'number') lost ||= !isExact(entry)
      else if (hasLostDigits(entry, depth - 1)) lost = true
    }
  } else {
    for (const key in value) if (hasLostDigits((value as Record<string, unknown>)[key], depth - 1)) lost = true
  }
  return lost
}

function isExact(value: number): boolean {
  return value <= Number.MAX_SAFE_INTEGER && value >= Number.MIN_SAFE_INTEGER
}

/**
 * JSON.parse of a valid text, with bigints for integers that a number cannot hold exactly, also in lists and objects.
 * @throws RangeError for an integer of too many digits
 */
export function parseWithBigints(text: string): unknown {
  let marked = ''
  let copied = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x22) at = stringEnd(text, at + 1)
    else if (code === 0x2d || (code >= 0x30 && code <= 0x39)) {
      number.lastIndex = at
      const [literal] = number.exec(text)!
      if (!/[.eE]/.test(literal) && !Number.isSafeInteger(Number(literal))) {
        if (literal.length > MAX_DIGITS) throw new RangeError(`an integer of more than ${MAX_DIGITS} digits`)
        marked += `${text.slice(copied, at)}"${mark}${literal}"`
        copied = at + literal.length
      }
      at += literal.length - 1
    }
  }
  return JSON.parse(marked + text.slice(copied), (_, value: unknown) =>
    typeof value === 'string' && value.startsWith(mark) ? BigInt(value.slice(mark.length)) : value,
  )
}
