import { describe, SentenceTorchError } from '../../errors.js'
import { listed } from '../readers/names.js'

/** Where a value stands, for errors. */
export interface Spot {
  path: string
  column: string
  row: number
}

/** The error for a value that would be another one when the file is read. */
export function unfit({ path, column, row }: Spot, what: string, remedy: string): SentenceTorchError {
  return new SentenceTorchError(
    'ERR_INVALID_DATA',
    `Column "${listed([column])}", row ${row}, holds ${what}, which ${path} cannot hold: ${remedy}`,
  )
}

/** The error for the name of a column that a file cannot hold. */
export function unfitName(path: string, name: string, what: string, remedy: string): SentenceTorchError {
  const message = `The column name ${describe(name)} has ${what}, which ${path} cannot hold: ${remedy}`
  return new SentenceTorchError('ERR_INVALID_DATA', message)
}

const surrogate = /\p{Surrogate}/u

/** Whether UTF-8 has no bytes for the text: half of a character is in it. */
export function isBroken(text: string): boolean {
  return surrogate.test(text)
}

export const BROKEN = 'half of a character (a lone surrogate)'

const RENAME = 'change it with renameColumns()'

/** Names for CSV, TSV and Parquet. @throws SentenceTorchError ERR_INVALID_DATA */
export function checkNames(names: readonly string[], path: string): void {
  for (const name of names) {
    if (name === '') throw unfitName(path, name, 'no characters', RENAME)
    if (isBroken(name)) throw unfitName(path, name, BROKEN, RENAME)
  }
}

/** Names for Parquet, whose readers drop a byte-order mark. @throws SentenceTorchError ERR_INVALID_DATA */
export function checkParquetNames(names: readonly string[], path: string): void {
  checkNames(names, path)
  const marked = names.find((name) => name.startsWith('\ufeff'))
  if (marked !== undefined) throw unfitName(path, marked, 'a byte-order mark at its start', RENAME)
}
