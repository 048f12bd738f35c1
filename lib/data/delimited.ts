/**
 * How fields stand in .csv and .tsv files, for readers and writers.
 *
 * CSV (RFC 4180): commas separate fields. A field that holds a comma, a double quote or a line end stands in double quotes,
 * and its own double quotes are doubled. Spaces belong to the field. So that nothing is lost, a row of one blank field and
 * a header that begins with a byte-order mark have quotes, too.
 *
 * TSV: tabs separate fields, and there are no quotes: a `"` is an ordinary character. A field cannot hold a tab or a line end,
 * and a row of one field cannot be blank.
 *
 * Both end lines with "\n" when they are written; "\r\n" and "\r" are read, too. Blank lines are no rows, and a byte-order
 * mark at the start of the file is not part of it.
 */
import { MAX_PARTS } from './readers/names.js'

const QUOTE = '"'
const COMMA = ','

/** Why a record of CSV cannot be split. */
export class MalformedRecord extends Error {
  constructor(
    readonly expected: string,
    readonly found: string,
  ) {
    super(`Expected ${expected}, found ${found}`)
  }
}

/** @throws MalformedRecord */
export function splitCsvRecord(text: string): string[] {
  const fields: string[] = []
  for (let at = 0; ; at++) {
    let end: number
    if (text[at] === QUOTE) {
      const close = closingQuote(text, at + 1)
      end = close + 1
      if (close === -1 || (end < text.length && text[end] !== COMMA)) {
        const found = close === -1 ? 'the end of the row' : JSON.stringify(text[end])
        throw new MalformedRecord('a comma after a quoted field', found)
      }
      fields.push(text.slice(at + 1, close).replaceAll('""', QUOTE))
    } else {
      const comma = text.indexOf(COMMA, at)
      end = comma === -1 ? text.length : comma
      const field = text.slice(at, end)
      if (field.includes(QUOTE)) {
        throw new MalformedRecord('quotes around the whole field or none', JSON.stringify(field.slice(0, 60)))
      }
      fields.push(field)
    }
    // Further columns are refused by their number.
    if (end >= text.length || fields.length === MAX_PARTS) return fields
    at = end
  }
}

/** The position of the quote that ends a field whose content starts at `from`; −1 without one. */
function closingQuote(text: string, from: number): number {
  for (let at = text.indexOf(QUOTE, from); at !== -1; at = text.indexOf(QUOTE, at + 2)) {
    if (text[at + 1] !== QUOTE) return at
  }
  return -1
}

/** A row of CSV continues in the next line while the number of its quotes is odd. */
export function countQuotes(text: string): number {
  let count = 0
  for (let at = text.indexOf(QUOTE); at !== -1; at = text.indexOf(QUOTE, at + 1)) count++
  return count
}

/** A line that consists of these characters is no row. */
export const CSV_BLANKS = ' \t'
export const TSV_BLANKS = ' '

const needsQuotes = /[",\n\r]|^\ufeff/
const onlyBlanks = /^[ \t]*$/

/** A row of CSV without its line end. */
export function csvRecord(fields: readonly string[]): string {
  const [only] = fields
  if (fields.length === 1 && onlyBlanks.test(only!)) return `${QUOTE}${only}${QUOTE}`
  return fields.map(csvField).join(COMMA)
}

function csvField(field: string): string {
  return needsQuotes.test(field) ? `${QUOTE}${field.replaceAll(QUOTE, '""')}${QUOTE}` : field
}

export const splitTsvRecord = (text: string): string[] => text.split('\t', MAX_PARTS)

export const tsvRecord = (fields: readonly string[]): string => fields.join('\t')

/** What a field holds that a row of TSV cannot; undefined for a field that fits. @param isOnly whether the row has no other */
export function unfitForTsv(field: string, isOnly: boolean): string | undefined {
  const found = /[\t\n\r]/.exec(field)?.[0]
  if (found !== undefined) return found === '\t' ? 'a tab' : 'a line end'
  if (field.startsWith('\ufeff')) return 'a byte-order mark at its start'
  return isOnly && /^ *$/.test(field) ? 'nothing but spaces, and the row no other field' : undefined
}
