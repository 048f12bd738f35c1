import { SentenceTorchError } from '../../errors.js'
import { readLines, withoutReturn } from './lines.js'
import { FieldTable, type Table } from './table.js'

/**
 * Tab-separated values: one header line, no quoting (a `"` is an ordinary character), "\n" or "\r\n".
 * Fields of label columns are parsed as numbers; "" and "-" there mean: no label.
 * @throws SentenceTorchError ERR_INVALID_DATA with the line number for a wrong number of fields or a label that is no number.
 */
export async function* readTsv(path: string, columns?: readonly string[]): AsyncGenerator<Table, void, undefined> {
  let table: FieldTable | undefined
  let number = 0
  for await (const lines of readLines(path)) {
    for (const line of lines) {
      number++
      const fields = withoutReturn(line).split('\t')
      if (table) table.add(fields, number)
      else table = new FieldTable(fields, path, columns)
    }
    if (table) yield table.take()
  }
  if (!table) throw new SentenceTorchError('ERR_INVALID_DATA', `Expected a header line in ${path}, found an empty file`)
}
