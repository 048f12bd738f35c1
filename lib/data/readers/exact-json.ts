import { randomUUID } from 'node:crypto'

/** Strings, which are passed over, and numbers. */
const literals = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/gs
/** No text of a file begins like this. */
const mark = `bigint ${randomUUID()} `

/**
 * JSON.parse for rows of data: integers that a number cannot hold exactly become bigints, in lists and objects too.
 * @throws SyntaxError
 */
export function parseExactly(text: string): unknown {
  const value: unknown = JSON.parse(text)
  return lostDigits(value) ? parseWithBigints(text) : value
}

/** Whether there is an integer in `value` so large that its digits may have been others. */
function lostDigits(value: unknown): boolean {
  if (typeof value === 'number') return value > Number.MAX_SAFE_INTEGER || value < Number.MIN_SAFE_INTEGER
  if (typeof value !== 'object' || value === null) return false
  if (Array.isArray(value)) return value.some(lostDigits)
  for (const key in value) if (lostDigits((value as Record<string, unknown>)[key])) return true
  return false
}

function parseWithBigints(text: string): unknown {
  const marked = text.replace(literals, (literal) =>
    literal[0] === '"' || /[.eE]/.test(literal) || Number.isSafeInteger(Number(literal))
      ? literal
      : `"${mark}${literal}"`,
  )
  return JSON.parse(marked, (_, value: unknown) =>
    typeof value === 'string' && value.startsWith(mark) ? BigInt(value.slice(mark.length)) : value,
  )
}
