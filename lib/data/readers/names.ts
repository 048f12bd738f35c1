/** Names of columns: how many there may be, and how they are told. */
import { SentenceTorchError } from '../../errors.js'

/** No table of texts has more; beyond it every row costs more than its texts. */
const MAX_COLUMNS = 100_000

const SHOWN_NAMES = 50
const SHOWN_CHARACTERS = 100

/** Some names for a message: the first ones, none at full length if it is long. */
export function listed(names: readonly string[]): string {
  const shown = names
    .slice(0, SHOWN_NAMES)
    .map((name) => (name.length > SHOWN_CHARACTERS ? `${name.slice(0, SHOWN_CHARACTERS - 3)}...` : name))
  const more = names.length - shown.length
  return shown.join(', ') + (more > 0 ? `, … ${more} more` : '')
}

/**
 * @param where "" or " of file.csv"
 * @throws SentenceTorchError ERR_INVALID_DATA for a name that comes twice; ERR_INVALID_FILE for too many
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

/** What to split a line into at most: one part more than there may be columns. */
export const MAX_PARTS = MAX_COLUMNS + 1

export function isSameList(a: readonly string[], b: readonly string[]): boolean {
  return a === b || (a.length === b.length && a.every((name, i) => name === b[i]))
}
