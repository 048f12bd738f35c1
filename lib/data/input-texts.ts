/** Texts of files, and of stdin where there is one, some at a time. */

import { describe, SentenceTorchError } from '../errors.js'
import { opener } from './readers/index.js'
import { readLines, withoutReturn } from './readers/lines.js'
import { listed } from './readers/names.js'

export interface TextSource {
  /** Files, or `-`. */
  inputs: readonly string[]
  /** The column of files with columns. Default: `text`, else the only column of texts of the first row. */
  column?: string | undefined
  /** What `-` stands for. Default: nothing, so that it is a file. */
  stdin?: AsyncIterable<Uint8Array> | undefined
  /** Leaves rows out that are no text; gets their errors. Default: the first one is thrown. */
  onBadRow?: ((error: SentenceTorchError) => void) | undefined
}

/**
 * The texts of all inputs, in order. A line of stdin and of files without columns is a text.
 * @throws ERR_NOT_FOUND, ERR_INVALID_DATA naming file and line
 */
export async function* readAllTexts({
  inputs,
  column,
  stdin,
  onBadRow,
}: TextSource): AsyncGenerator<readonly string[]> {
  for (const input of inputs) {
    if (input === '-' && stdin) yield* linesOf(stdin)
    else if (isTable(input)) yield* columnTexts(input, column, onBadRow)
    else for await (const lines of readLines(input)) yield lines.map(withoutReturn)
  }
}

/** Whether a file has columns, by its ending. */
export function isTable(path: string): boolean {
  return /\.(jsonl|json|csv|tsv|parquet|arrow)(\.gz)?$/i.test(path)
}

async function* linesOf(stdin: AsyncIterable<Uint8Array>): AsyncGenerator<readonly string[]> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let rest = ''
  let number = 1
  const decode = (bytes?: Uint8Array): string => {
    try {
      return decoder.decode(bytes, { stream: bytes !== undefined })
    } catch (cause) {
      const message = `Expected UTF-8 from line ${number} of stdin on, found other bytes`
      throw new SentenceTorchError('ERR_INVALID_DATA', message, { cause })
    }
  }
  for await (const chunk of stdin) {
    const lines = (rest + decode(chunk)).split('\n')
    rest = lines.pop()!
    number += lines.length
    yield lines.map((line) => line.replace(/\r$/, ''))
  }
  rest += decode()
  if (rest !== '') yield [rest.replace(/\r$/, '')]
}

async function* columnTexts(
  path: string,
  column: string | undefined,
  onBadRow: TextSource['onBadRow'],
): AsyncGenerator<readonly string[]> {
  let chosen = column
  let done = 0
  for await (const { names, columns, lines } of opener(
    path,
    column === undefined ? {} : { columns: column },
    onBadRow,
  )()) {
    chosen ??= textColumn(path, names, columns)
    const values = columns[names.indexOf(chosen)]!
    const texts: string[] = []
    for (const [row, value] of values.entries()) {
      if (typeof value === 'string') {
        texts.push(value)
        continue
      }
      const place = lines ? `line ${lines[row]} of ${path}` : `row ${done + row} of ${path}`
      const message = `Expected a text in column "${chosen}", ${place}, found ${describe(value)}`
      const error = new SentenceTorchError('ERR_INVALID_DATA', message)
      if (!onBadRow) throw error
      onBadRow(error)
    }
    done += values.length
    yield texts
  }
}

function textColumn(path: string, names: readonly string[], columns: readonly (readonly unknown[])[]): string {
  const texts = names.filter((_, i) => typeof columns[i]![0] === 'string')
  const found = texts.includes('text') ? 'text' : texts.length === 1 ? texts[0] : undefined
  if (found !== undefined) return found
  const message = `Expected a column text, or a single column of texts, in ${path}, found ${listed(names)}: choose one with --column`
  throw new SentenceTorchError('ERR_INVALID_DATA', message)
}

/** Groups of `size` texts; the last one may be smaller. */
export async function* inGroups(pieces: AsyncIterable<readonly string[]>, size: number): AsyncGenerator<string[]> {
  let group: string[] = []
  for await (const texts of pieces) {
    for (const text of texts) {
      if (group.push(text) < size) continue
      yield group
      group = []
    }
  }
  if (group.length > 0) yield group
}
