import { splitTsvRecord, TSV_BLANKS } from '../delimited.js'
import { isBlank, readLines, withoutReturn } from './lines.js'
import { addRow, FieldTable, noHeader, type ReaderOptions, type Table } from './table.js'

/**
 * Tab-separated values by the rules of delimited.ts, with one header line by default. FieldColumn finds out what a column holds.
 * @throws SentenceTorchError ERR_INVALID_DATA with the line number for a wrong number of fields or a label that is no number.
 */
export async function* readTsv(path: string, options: ReaderOptions = {}): AsyncGenerator<Table, void, undefined> {
  let table = options.header === false ? new FieldTable(undefined, path, options) : undefined
  let number = 0
  for await (const lines of readLines(path)) {
    for (const line of lines) {
      number++
      if (isBlank(line, TSV_BLANKS)) continue
      const fields = splitTsvRecord(withoutReturn(line))
      const known = table
      if (known) addRow(() => known.add(fields, number), options.onBadRow)
      else table = new FieldTable(fields, path, options)
    }
    const piece = table?.piece()
    if (piece) yield piece
  }
  if (!table) throw noHeader(path)
  yield table.rest()
}
