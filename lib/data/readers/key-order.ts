/**
 * The order of columns that are the keys of an object. JavaScript puts keys that are whole numbers first ("1" before
 * "query", "0" before "1"), whatever their written order. So an object with such a key does not tell the written order.
 */
import { SentenceTorchError } from '../../errors.js'
import { isClosing, isOpening, isSpace, stringEnd } from './json-text.js'
import { listed } from './names.js'

/** Whether the keys of an object have, or may have, another order than the written one. */
export function losesOrder(names: readonly string[]): boolean {
  return names.length > 1 && names.some(isIndex)
}

/** A key that JavaScript sorts by number: "0", "7", "4294967294"; not "01", "-1" or "1.0". */
function isIndex(name: string): boolean {
  const number = Number(name)
  return number >= 0 && number < 2 ** 32 - 1 && String(Math.trunc(number)) === name
}

/** @param where for messages: `in row 0` */
export function unknownOrder(names: readonly string[], where: string): SentenceTorchError {
  return new SentenceTorchError(
    'ERR_INVALID_DATA',
    `Expected columns in an order that can be told, found ${listed(names)} ${where}: JavaScript puts keys that are ` +
      "whole numbers first, and the order of the columns counts; give it: { columns: ['…', '…'] }",
  )
}

/**
 * The keys of the outermost object of a JSON text, which may be cut off, in their written order. Each key comes once,
 * with the first character of its value.
 */
export function keysInText(text: string): Map<string, string> {
  const keys = new Map<string, string>()
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (isOpening(code)) depth++
    else if (isClosing(code)) {
      if (--depth <= 0) break
    } else if (code === 0x22) {
      const end = stringEnd(text, at + 1)
      if (end === -1 || depth === 0) break
      if (depth === 1) addKey(keys, text, at, end)
      at = end
    }
  }
  return keys
}

/** Adds the string from `start` to `end` if it is a key. */
function addKey(keys: Map<string, string>, text: string, start: number, end: number): void {
  let at = afterSpace(text, end + 1)
  if (text[at] !== ':') return
  at = afterSpace(text, at + 1)
  let key: string
  try {
    key = JSON.parse(text.slice(start, end + 1)) as string
  } catch {
    return
  }
  if (!keys.has(key)) keys.set(key, text[at] ?? '')
}

function afterSpace(text: string, from: number): number {
  let at = from
  while (isSpace(text.charCodeAt(at))) at++
  return at
}
