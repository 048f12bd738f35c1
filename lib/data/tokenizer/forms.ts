import { newerCharacters, newerForms } from './unicode-tables.js'

export type UnicodeForm = 'NFC' | 'NFD' | 'NFKC' | 'NFKD'

const formPattern = new RegExp(`([${newerForms}])`, 'u')
const newerPattern = new RegExp(`[${newerCharacters}]`, 'gu')

/** All characters below are in form C, alone and together. */
const composing = /[^\0-\u02ff]/

/** A Unicode normal form as of the Rust tables: characters that are newer stay, and nothing joins or moves across them. */
export function normalForm(text: string, form: UnicodeForm): string {
  if (form === 'NFC' && !composing.test(text)) return text
  if (!formPattern.test(text)) return text.normalize(form)
  const parts = text.split(formPattern)
  return parts.map((part, i) => (i % 2 === 1 ? part : part.normalize(form))).join('')
}

/**
 * The text for the eyes of a pattern with classes such as \p{L}: characters that are newer than the Rust tables are replaced by
 * some that belong to no class. Every index stays what it was.
 */
export function oldCharacters(text: string): string {
  return text.replace(newerPattern, (char) => (char.length === 1 ? '\u0378' : '\u{1ffff}'))
}
