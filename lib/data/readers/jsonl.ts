import { SentenceTorchError } from '../../errors.js'
import { checkSize } from './json-text.js'
import { readLines } from './lines.js'
import { type ReaderOptions, RowTable, type Table } from './table.js'

/**
 * JSON Lines: one object per line. Blank lines are skipped. Columns have the order of the first object's keys. Integers
 * that a number cannot hold exactly become bigints.
 * @throws SentenceTorchError ERR_INVALID_DATA with the line number for anything but an object with the same keys, and
 * for a file without rows, unless `columns` names its columns; ERR_INVALID_FILE for a line that is too long.
 */
export async function* readJsonl(
  path: string,
  { columns, onBadRow }: ReaderOptions = {},
): AsyncGenerator<Table, void, undefined> {
  let number = 0
  const table = new RowTable(() => `line ${number} of ${path}`, columns)
  for await (const lines of readLines(path)) {
    for (const line of lines) {
      number++
      if (line.trim() === '') continue
      checkSize(line, () => `line ${number} of ${path}`)
      table.tryRow(() => table.add(parse(line, number, path), line, number), onBadRow)
    }
    if (table.hasRows) yield table.take()
  }
  if (table.names.length === 0) throw table.noRows(path)
  if (table.isNew) yield table.take()
}

function parse(line: string, number: number, path: string): unknown {
  try {
    return JSON.parse(line)
  } catch (cause) {
    const message = `Expected a JSON object in line ${number} of ${path}: ${(cause as Error).message}`
    throw new SentenceTorchError('ERR_INVALID_DATA', message, { cause })
  }
}
