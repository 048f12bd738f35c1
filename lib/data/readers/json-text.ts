/** Checks of a JSON text before it is parsed. */
import { SentenceTorchError } from '../../errors.js'
import { MAX_DEPTH } from '../../io/schema.js'

/** Limit of characters that are parsed at once. A JavaScript string cannot be much longer. */
export const MAX_CHARACTERS = 500 * 2 ** 20
/** Limit of values. V8 ends the process for arrays of some hundred millions of values. */
const MAX_VALUES = 10_000_000
/** Texts up to this length can be parsed whatever they hold. */
const HARMLESS_CHARACTERS = 2 ** 20

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c

export const isOpening = (code: number): boolean => code === 0x7b || code === 0x5b
export const isClosing = (code: number): boolean => code === 0x7d || code === 0x5d
export const isSpace = (code: number): boolean => code === 0x20 || (code >= 0x09 && code <= 0x0d)

/** The index of the quote that ends a string whose characters begin at `from`; −1 without one. */
export function stringEnd(text: string, from: number): number {
  for (let at = text.indexOf('"', from); at !== -1; at = text.indexOf('"', at + 1)) {
    let start = at
    while (start > from && text.charCodeAt(start - 1) === BACKSLASH) start--
    if ((at - start) % 2 === 0) return at
  }
  return -1
}

/** Whether a string that begins at or before `from` continues after this text with an escaped character. */
export function endsEscaped(text: string, from: number): boolean {
  let start = text.length
  while (start > from && text.charCodeAt(start - 1) === BACKSLASH) start--
  return (text.length - start) % 2 === 1
}

/**
 * Refuses a text that would take too much memory once parsed.
 * @param where `line 3 of train.jsonl`
 * @throws SentenceTorchError ERR_INVALID_FILE, or ERR_INVALID_DATA when it is nested too deep
 */
export function checkSize(text: string, where: () => string): void {
  if (text.length <= HARMLESS_CHARACTERS) return
  let depth = 0
  let values = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) {
      const end = stringEnd(text, at + 1)
      if (end === -1) return
      at = end
    } else if (code === COMMA) values++
    else if (isOpening(code)) depth++
    else if (isClosing(code)) depth--
    if (depth > MAX_DEPTH) throw tooDeep(where())
    if (values > MAX_VALUES) throw tooMuch(`${MAX_VALUES} values`, where())
  }
}

export function tooDeep(where: string): SentenceTorchError {
  const message = `Expected less deep lists and objects in ${where}, found more than ${MAX_DEPTH} within each other`
  return new SentenceTorchError('ERR_INVALID_DATA', message)
}

/** @param most the limit */
export function tooMuch(most: string, where: string): SentenceTorchError {
  return new SentenceTorchError('ERR_INVALID_FILE', `Expected at most ${most} in ${where}, found more`)
}

export const MOST_CHARACTERS = `${MAX_CHARACTERS / 2 ** 20} MB`
