import { describe, invalidArgument, SentenceTorchError } from '../../errors.js'
import type { ClassNames } from '../class-names.js'

/** Some rows of a file: columns in file order, all of the same length. */
export interface Table {
  names: string[]
  columns: unknown[][]
  /** Of the file, in one of its pieces at least. */
  classNames?: ClassNames
}

/**
 * Reads a file piece by piece, so that nothing but the current piece is in memory. All pieces have the same columns; a file
 * without rows gives one piece without rows.
 * @param columns which columns to read, in this order; default all
 */
export type TableReader = (path: string, columns?: readonly string[]) => AsyncGenerator<Table, void, undefined>

/** Column names that mean labels, in order of preference (sentence-transformers' data collator). */
export const labelNames = ['label', 'labels', 'score', 'scores'] as const

/** What stands in text files for a label that is not there. */
const noLabel = ['', '-']

/** Gathers rows of text fields under a header; fields of label columns become numbers. */
export class FieldTable {
  readonly names: string[]
  private columns: unknown[][]
  private readonly sources: readonly number[]
  private readonly numeric: readonly boolean[]

  constructor(
    private readonly header: readonly string[],
    private readonly file: string,
    columns?: readonly string[],
  ) {
    this.names = [...(columns ?? header)]
    this.sources = this.names.map((name) => indexOf(header, name, file))
    this.numeric = this.names.map((name) => (labelNames as readonly string[]).includes(name))
    this.columns = this.names.map(() => [])
  }

  /** @param line number of the row's first line in the file, for errors. */
  add(fields: string[], line: number): void {
    const { header, file } = this
    if (fields.length !== header.length) {
      throw new SentenceTorchError(
        'ERR_INVALID_DATA',
        `Expected ${header.length} fields (${header.join(', ')}) in line ${line} of ${file}, found ${fields.length}`,
      )
    }
    this.sources.forEach((source, i) => {
      const field = fields[source]!
      this.columns[i]!.push(this.numeric[i] ? this.parseNumber(field, this.names[i]!, line) : field)
    })
  }

  /** The rows since the last call. */
  take(): Table {
    const { names, columns } = this
    this.columns = names.map(() => [])
    return { names, columns }
  }

  private parseNumber(field: string, column: string, line: number): number | null {
    const trimmed = field.trim()
    if (noLabel.includes(trimmed)) return null
    const value = Number(trimmed)
    if (!Number.isFinite(value)) {
      throw new SentenceTorchError(
        'ERR_INVALID_DATA',
        `Expected a number in column "${column}" in line ${line} of ${this.file}, found ${JSON.stringify(field.slice(0, 60))}`,
      )
    }
    return value
  }
}

/** Gathers objects that must all have the keys of the first one, or those asked for. */
export class RowTable {
  names: string[]
  private columns: unknown[][]
  private rows = 0

  /**
   * @param where names a row in errors.
   * @param wanted the keys to take; others are left aside then
   */
  constructor(
    private readonly where: (row: number) => string,
    private readonly wanted?: readonly string[],
  ) {
    this.names = [...(wanted ?? [])]
    this.columns = this.names.map(() => [])
  }

  add(row: unknown): void {
    if (typeof row !== 'object' || row === null || Array.isArray(row)) {
      throw this.error(`an object`, describe(row))
    }
    const values = row as Record<string, unknown>
    const keys = Object.keys(values)
    if (this.rows === 0 && !this.wanted) {
      this.names = keys
      this.columns = keys.map(() => [])
    }
    const tooMany = !this.wanted && keys.length !== this.names.length
    if (tooMany || !this.names.every((name) => Object.hasOwn(values, name))) {
      throw this.error(`the keys ${this.names.join(', ')}`, `${keys.join(', ') || 'none'}`)
    }
    this.names.forEach((name, i) => {
      this.columns[i]!.push(values[name])
    })
    this.rows++
  }

  /** The rows since the last call. */
  take(): Table {
    const { names, columns } = this
    this.columns = names.map(() => [])
    return { names, columns }
  }

  private error(expected: string, found: string): SentenceTorchError {
    return new SentenceTorchError(
      'ERR_INVALID_DATA',
      `Expected ${expected} in ${this.where(this.rows)}, found ${found}`,
    )
  }
}

/** The place of `name` among the columns of a file. */
export function indexOf(names: readonly string[], name: string, where: string): number {
  const index = names.indexOf(name)
  if (index === -1) throw invalidArgument('columns', `some of ${names.join(', ')} (in ${where})`, name)
  return index
}
