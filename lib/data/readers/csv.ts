import { SentenceTorchError } from '../../errors.js'
import { CSV_BLANKS, countQuotes, MalformedRecord, splitCsvRecord } from '../delimited.js'
import { tooMuch } from './json-text.js'
import { isBlank, readLines, withLineEnd, withoutReturn } from './lines.js'
import { addRow, FieldTable, noHeader, type ReaderOptions, type Table } from './table.js'

/**
 * Comma-separated values by the rules of delimited.ts, with one header line by default. A quote inside an unquoted field is
 * an error. FieldColumn finds out what a column holds.
 * @throws SentenceTorchError ERR_INVALID_DATA with the line number.
 */
export async function* readCsv(path: string, options: ReaderOptions = {}): AsyncGenerator<Table, void, undefined> {
  let table = options.header === false ? new FieldTable(undefined, path, options) : undefined
  let number = 0
  /** A row with an open quote. */
  let open: OpenRow | undefined
  for await (const lines of readLines(path)) {
    for (const line of lines) {
      number++
      if (open === undefined && isBlank(line, CSV_BLANKS)) continue
      // A row continues in the next line while a quote is open, which is while the number of quotes is odd.
      if (countQuotes(line) % 2 === (open ? 0 : 1)) {
        open ??= new OpenRow(number, path)
        open.add(withLineEnd(line))
        continue
      }
      const first = open?.line ?? number
      const record = open ? open.end(line) : line
      open = undefined
      const known = table
      if (known) addRow(() => known.add(splitRecord(record, first, path), first), options.onBadRow)
      else table = new FieldTable(splitRecord(record, first, path), path, options)
    }
    open?.join()
    const piece = table?.piece()
    if (piece) yield piece
  }
  if (open) throw malformed('the end of the quoted field that begins', open.line, path, 'the end of the file')
  if (!table) throw noHeader(path)
  yield table.rest()
}

/** Limit of characters in a row over several lines. A quote that is never closed would take the rest of the file. */
const MAX_OPEN = 128 * 2 ** 20

/** The lines of a row whose last field has not ended. */
class OpenRow {
  private readonly parts: string[] = []
  /** Joined at the end of every piece, because a text that grows line by line takes many times its size. */
  private lines: string[] = []
  private length = 0

  constructor(
    readonly line: number,
    private readonly path: string,
  ) {}

  add(line: string): void {
    this.lines.push(line)
    this.length += line.length
    if (this.length > MAX_OPEN) {
      const row = `the row that begins in line ${this.line} of ${this.path}, whose quote is not closed`
      throw tooMuch(`${MAX_OPEN / 2 ** 20} MB of text`, row)
    }
  }

  join(): void {
    this.parts.push(this.lines.join(''))
    this.lines = []
  }

  end(line: string): string {
    return [...this.parts, ...this.lines, line].join('')
  }
}

function splitRecord(record: string, firstLine: number, path: string): string[] {
  try {
    return splitCsvRecord(withoutReturn(record))
  } catch (error) {
    if (!(error instanceof MalformedRecord)) throw error
    throw malformed(error.expected, firstLine, path, error.found)
  }
}

function malformed(expected: string, line: number, path: string, found: string): SentenceTorchError {
  return new SentenceTorchError('ERR_INVALID_DATA', `Expected ${expected} in line ${line} of ${path}, found ${found}`)
}
