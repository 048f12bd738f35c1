import { randomUUID } from 'node:crypto'

/** Strings, which are passed over, and numbers. */
const literals = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/gs
/** No text of a file begins like this. */
const mark = `bigint ${randomUUID()} `

/** Whether there is an integer in a parsed `value` so large that its digits may have been others. */
export function hasLostDigits(value: unknown): boolean {
  if (typeof value === 'number') return value > Number.MAX_SAFE_INTEGER || value < Number.MIN_SAFE_INTEGER
  if (typeof value !== 'object' || value === null) return false
  return (Array.isArray(value) ? value : Object.values(value)).some(hasLostDigits)
}

/** JSON.parse, but integers that a number cannot hold exactly become bigints, in lists and objects too. */
export function parseWithBigints(text: string): unknown {
  const marked = text.replace(literals, (literal) =>
    literal[0] === '"' || /[.eE]/.test(literal) || Number.isSafeInteger(Number(literal))
      ? literal
      : `"${mark}${literal}"`,
  )
  return JSON.parse(marked, (_, value: unknown) =>
    typeof value === 'string' && value.startsWith(mark) ? BigInt(value.slice(mark.length)) : value,
  )
}
