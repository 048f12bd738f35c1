/** Names of columns: their limit, and their form in messages. */
import { SentenceTorchError } from '../../errors.js'

/** Limit of columns. No table of texts has more, and each further column would slow every row. */
const MAX_COLUMNS = 100_000

const SHOWN_NAMES = 50
const SHOWN_CHARACTERS = 100

/** Some names for a message: the first ones, each shortened. */
export function listed(names: readonly string[]): string {
  const shown = names
    .slice(0, SHOWN_NAMES)
    .map((name) => (name.length > SHOWN_CHARACTERS ? `${name.slice(0, SHOWN_CHARACTERS - 3)}...` : name))
  const more = names.length - shown.length
  return shown.join(', ') + (more > 0 ? `, … ${more} more` : '')
}

/**
 * @param where "" or " of file.csv"
 * @throws SentenceTorchError ERR_INVALID_DATA for a repeated name; ERR_INVALID_FILE for too many
 */
export function checkColumnNames(names: readonly string[], where: string): void {
  checkCount(names.length, where)
  const known = new Set<string>()
  for (const name of names) {
    if (known.has(name))
      throw new SentenceTorchError('ERR_INVALID_DATA', `The column "${listed([name])}"${where} comes twice`)
    known.add(name)
  }
}

/** @throws SentenceTorchError ERR_INVALID_FILE */
export function checkCount(columns: number, where: string): void {
  if (columns <= MAX_COLUMNS) return
  throw new SentenceTorchError('ERR_INVALID_FILE', `Expected at most ${MAX_COLUMNS} columns${where}, found more`)
}

/** Parts to split a line into: one more than the limit of columns, so that too many are noticed. */
export const MAX_PARTS = MAX_COLUMNS + 1

export function isSameList(a: readonly string[], b: readonly string[]): boolean {
  return a === b || (a.length === b.length && a.every((name, i) => name === b[i]))
}
