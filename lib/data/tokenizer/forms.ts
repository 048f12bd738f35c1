import { orderLongRuns, type UnicodeForm } from './mark-order.js'
import { newerCharacters, newerForms } from './unicode-tables.js'

const formPattern = new RegExp(`([${newerForms}])`, 'u')
const newerPattern = new RegExp(`[${newerCharacters}]`, 'gu')

/** All characters below this one are in form C, alone and together. */
const composing = /[^\0-\u02ff]/

/** A Unicode normal form by the Rust tables: newer characters stay, and nothing joins or moves across them. */
export function normalForm(text: string, form: UnicodeForm): string {
  if (form === 'NFC' && !composing.test(text)) return text
  if (!formPattern.test(text)) return engineForm(text, form)
  const parts = text.split(formPattern)
  return parts.map((part, i) => (i % 2 === 1 ? part : engineForm(part, form))).join('')
}

function engineForm(text: string, form: UnicodeForm): string {
  return orderLongRuns(text, form).normalize(form)
}

/**
 * The text as a pattern with classes such as \p{L} sees it: characters that are newer than the Rust tables are replaced by
 * characters of no class. Indices do not change.
 */
export function oldCharacters(text: string): string {
  return text.replace(newerPattern, (char) => (char.length === 1 ? '\u0378' : '\u{1ffff}'))
}
