import { describe, SentenceTorchError } from '../../errors.js'
import { readLines } from './lines.js'
import type { Table } from './table.js'

/**
 * JSON Lines: one object per line, blank lines skipped. Columns come in the order of the first object's keys.
 * @throws SentenceTorchError ERR_INVALID_DATA with the line number for anything but an object with the same keys.
 */
export async function readJsonl(path: string): Promise<Table> {
  const builder = new RowTable((row) => `line ${lineOfRow[row]} of ${path}`)
  const lineOfRow: number[] = []
  let number = 0
  for await (const lines of readLines(path)) {
    for (const line of lines) {
      number++
      if (line.trim() === '') continue
      lineOfRow.push(number)
      let row: unknown
      try {
        row = JSON.parse(line)
      } catch (cause) {
        const message = `Expected a JSON object in line ${number} of ${path}: ${(cause as Error).message}`
        throw new SentenceTorchError('ERR_INVALID_DATA', message, { cause })
      }
      builder.add(row)
    }
  }
  return builder
}

/** Grows a table of objects that must all have the keys of the first one. */
export class RowTable implements Table {
  names: string[] = []
  columns: unknown[][] = []
  private rows = 0

  /** @param where names a row in errors. */
  constructor(private readonly where: (row: number) => string) {}

  add(row: unknown): void {
    if (typeof row !== 'object' || row === null || Array.isArray(row)) {
      throw this.error(`an object`, describe(row))
    }
    const values = row as Record<string, unknown>
    const keys = Object.keys(values)
    if (this.rows === 0) {
      this.names = keys
      this.columns = keys.map(() => [])
    }
    if (keys.length !== this.names.length || !this.names.every((name) => Object.hasOwn(values, name))) {
      throw this.error(`the keys ${this.names.join(', ')}`, `${keys.join(', ') || 'none'}`)
    }
    this.names.forEach((name, i) => {
      this.columns[i]!.push(values[name])
    })
    this.rows++
  }

  private error(expected: string, found: string): SentenceTorchError {
    return new SentenceTorchError(
      'ERR_INVALID_DATA',
      `Expected ${expected} in ${this.where(this.rows)}, found ${found}`,
    )
  }
}
