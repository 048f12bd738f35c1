/**
 * The order of columns that come as the keys of an object. JavaScript puts keys that are whole numbers first ("1" before
 * "query", "0" before "1"), whatever order they were written in; so where there is such a key, an object cannot tell.
 */
import { SentenceTorchError } from '../../errors.js'

/** Whether the keys of an object are in another order than the one they were given in, or may be. */
export function losesOrder(names: readonly string[]): boolean {
  return names.length > 1 && names.some(isIndex)
}

/** What JavaScript sorts by number: "0", "7", "4294967294"; not "01", "-1" or "1.0". */
function isIndex(name: string): boolean {
  const number = Number(name)
  return number >= 0 && number < 2 ** 32 - 1 && String(Math.trunc(number)) === name
}

/** @param where in the rows of what: `in row 0` */
export function unknownOrder(names: readonly string[], where: string): SentenceTorchError {
  return new SentenceTorchError(
    'ERR_INVALID_DATA',
    `Expected columns in an order that can be told, found ${names.join(', ')} ${where}: JavaScript puts keys that are ` +
      "whole numbers first, and the order of the columns counts; give it: { columns: ['…', '…'] }",
  )
}

/** The keys of the outermost object of a JSON text in the order they are written; each once, with the start of its value. */
export function keysInText(text: string): Map<string, string> {
  const keys = new Map<string, string>()
  const token = /"(?:[^"\\]|\\.)*"|[{}[\]]/gs
  let depth = 0
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    const [found] = match
    if (found === '{' || found === '[') depth++
    else if (found === '}' || found === ']') depth--
    else if (depth === 1) {
      const value = /\s*:\s*(.?)/sy
      value.lastIndex = token.lastIndex
      const start = value.exec(text)?.[1]
      if (start === undefined) continue
      const key = JSON.parse(found) as string
      if (!keys.has(key)) keys.set(key, start)
    }
    if (depth <= 0) break
  }
  return keys
}
