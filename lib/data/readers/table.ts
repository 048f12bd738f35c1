import { describe, invalidArgument, SentenceTorchError } from '../../errors.js'
import type { ClassNames } from '../class-names.js'
import { hasLostDigits, parseWithBigints } from './exact-json.js'
import { FieldColumn } from './field-column.js'
import { warnOfLostRow } from './header.js'
import { tooDeep } from './json-text.js'
import { keysInText, losesOrder, unknownOrder } from './key-order.js'
import { checkColumnNames, checkCount, listed, MAX_PARTS } from './names.js'

/** Some rows of a file: columns in file order, all of the same length. */
export interface Table {
  names: string[]
  columns: unknown[][]
  /** The line of the file in which each row begins, of formats that have lines. */
  lines?: readonly number[]
  /** Class names of the file. At least one of its pieces has them. */
  classNames?: ClassNames
}

/** Options of readers. A reader refuses those that it does not take (`readerOf`). */
export interface ReadOptions {
  /**
   * Columns to read (a name or several), in this order; default all. With `header: false`: the names of all columns.
   */
  columns?: string | readonly string[] | undefined
  /** `false`: the first line of a CSV or TSV file is a row, and `columns` names the columns. Default true. */
  header?: boolean | undefined
  /** Columns of a CSV or TSV file that hold texts, even if all their fields look like numbers: `{ id: 'string' }`. */
  dtype?: Readonly<Record<string, 'string'>> | undefined
  /** The key of a JSON file's object whose value is the array of rows. */
  field?: string | undefined
  /** @internal The label column of a CSV or TSV file holds texts. */
  textLabels?: boolean | undefined
}

/** The options of readers and writers of CSV and TSV files. */
export type FieldOptions = Pick<ReadOptions, 'dtype'>

/** The same options in the readers' form. */
export interface ReaderOptions extends Omit<ReadOptions, 'columns'> {
  columns?: readonly string[] | undefined
  /** Gets the error of a row that cannot be read, which is then left out. Default: the error is thrown. */
  onBadRow?: OnBadRow | undefined
}

export type OnBadRow = (error: SentenceTorchError) => void

/**
 * Runs `add`, which adds one row or throws and adds none.
 * @throws what it throws, but not errors of the row's data if `onBadRow` takes them
 */
export function addRow(add: () => void, onBadRow: OnBadRow | undefined): void {
  try {
    add()
  } catch (error) {
    const isOfRow = error instanceof SentenceTorchError && error.code === 'ERR_INVALID_DATA'
    if (onBadRow === undefined || !isOfRow) throw error
    onBadRow(error)
  }
}

/** Counts rows that were left out. */
export class LeftOut {
  count = 0
  first = ''

  noted(error: SentenceTorchError): SentenceTorchError {
    if (this.count++ === 0) this.first = error.message
    return error
  }
}

/** The error of a file in which no row can be used. */
export function noRows(path: string, found: string, { count, first }: LeftOut): SentenceTorchError {
  const rows = count === 1 ? '1 row was' : `${count} rows were`
  const why = count === 0 ? '' : `; ${rows} left out, the first: ${first}`
  return new SentenceTorchError('ERR_INVALID_DATA', `Expected at least one row in ${path}, found ${found}${why}`)
}

/**
 * Reads a file piece by piece, so that only the current piece is in memory. All pieces have the same columns. A file
 * without rows gives one piece without rows.
 */
export type TableReader = (path: string, options?: ReaderOptions) => AsyncGenerator<Table, void, undefined>

/** Names of label columns, in order of preference (sentence-transformers' data collator). */
export const labelNames = ['label', 'labels', 'score', 'scores'] as const

/** Rows, and pieces, that are read before a column of only numbers counts as one of numbers: pandas' chunk. */
export const LOOK_ROWS = 10_000
const LOOK_PIECES = 64

/** @throws SentenceTorchError ERR_INVALID_ARGUMENT */
export function checkDtype(dtype: unknown): void {
  if (dtype === undefined) return
  if (typeof dtype !== 'object' || dtype === null)
    throw invalidArgument('dtype', "an object such as { id: 'string' }", dtype)
  for (const [name, type] of Object.entries(dtype)) {
    if (type !== 'string') throw invalidArgument(`dtype.${name}`, "'string'", type)
  }
}

/** What is known of a column of a CSV or TSV file by its name alone. */
export function fieldKind(name: string, dtype: Readonly<Record<string, 'string'>>): 'label' | 'text' | 'open' {
  if (Object.hasOwn(dtype, name)) return 'text'
  return isLabelName(name) ? 'label' : 'open'
}

function isLabelName(name: string): boolean {
  return (labelNames as readonly string[]).includes(name)
}

/** Collects rows of text fields under a header. */
export class FieldTable {
  readonly names: string[]
  private readonly columns: readonly FieldColumn[]
  private readonly sources: readonly number[]
  private readonly header: readonly string[]
  private rows = 0
  private lines: number[] = []
  private pieces = 0
  /** Whether the header has not been checked yet. */
  private hasHeader: boolean

  /** @param first fields of the first line; undefined when the first line is a row */
  constructor(
    first: readonly string[] | undefined,
    private readonly file: string,
    { columns, dtype = {}, textLabels = false }: ReaderOptions,
  ) {
    this.hasHeader = first !== undefined
    // Named as pandas names them.
    checkCount((first ?? columns!).length, ` of ${file}`)
    this.header = (first ?? columns!).map((name, i) => (name === '' ? `Unnamed: ${i}` : name))
    this.names = [...(columns ?? this.header)]
    checkColumnNames(this.names, ` of ${file}`)
    this.sources = columns ? columns.map((name) => indexOf(this.header, name, file)) : [...this.header.keys()]
    for (const name of Object.keys(dtype)) indexOf(this.header, name, file, 'dtype')
    const kindOf = (name: string) => (textLabels && isLabelName(name) ? 'text' : fieldKind(name, dtype))
    this.columns = this.names.map((name) => new FieldColumn(name, file, kindOf(name)))
  }

  /** @param line number of the row's first line in the file, for errors. */
  add(fields: string[], line: number): void {
    const { header, file, columns, sources } = this
    if (fields.length !== header.length) {
      throw new SentenceTorchError(
        'ERR_INVALID_DATA',
        `Expected ${header.length} fields (${listed(header)}) in line ${line} of ${file}, found ${fields.length < MAX_PARTS ? fields.length : 'many more'}`,
      )
    }
    let added = 0
    try {
      for (; added < columns.length; added++) columns[added]!.add(fields[sources[added]!]!, line)
    } catch (error) {
      for (let i = 0; i < added; i++) columns[i]!.removeLast()
      throw error
    }
    this.lines.push(line)
    if (++this.rows === LOOK_ROWS) this.decide()
  }

  /**
   * The rows since the last call. Undefined for none, or while more rows are needed to decide what the columns hold.
   */
  piece(): Table | undefined {
    if (this.lines.length === 0) return undefined
    const isOpen = ++this.pieces < LOOK_PIECES && this.columns.some((column) => column.isOpen)
    return isOpen ? undefined : this.rest()
  }

  /** The rows since the last call, at the end of the file. */
  rest(): Table {
    this.decide()
    const columns = this.columns.map((column) => column.take())
    if (this.hasHeader) {
      // All names, but only the values that are read.
      const values: unknown[][] = this.header.map(() => [])
      this.sources.forEach((source, i) => {
        values[source] = columns[i]!
      })
      warnOfLostRow(this.header, values, this.file)
    }
    this.hasHeader = false
    const { lines } = this
    this.lines = []
    return { names: this.names, columns, lines }
  }

  private decide(): void {
    for (const column of this.columns) column.decide()
  }
}

/** Collects objects that must all have the keys of the first object, or the requested keys. */
export class RowTable {
  names: string[]
  private columns: unknown[][]
  private lines: number[] = []
  private rows = 0
  private taken = 0
  private readonly leftOut = new LeftOut()

  /**
   * @param where names a row in errors
   * @param wanted the keys to take; other keys are ignored then
   */
  constructor(
    private readonly where: (row: number) => string,
    private readonly wanted?: readonly string[],
  ) {
    this.names = [...(wanted ?? [])]
    this.columns = this.names.map(() => [])
  }

  /**
   * @param text the row's JSON, which has the order of its keys and all digits of large integers
   * @param line the row's line, where it has one
   */
  add(row: unknown, text?: string, line?: number): void {
    if (typeof row !== 'object' || row === null || Array.isArray(row)) {
      throw this.error(`an object`, describe(row))
    }
    const values = row as Readonly<Record<string, unknown>>
    const keys = Object.keys(values)
    if (this.rows === 0 && !this.wanted) {
      checkCount(keys.length, ` in ${this.where(0)}`)
      this.names = this.inOrder(keys, text)
      this.columns = keys.map(() => [])
    }
    const tooMany = !this.wanted && keys.length !== this.names.length
    if (tooMany || !this.names.every((name) => Object.hasOwn(values, name))) {
      throw this.error(`the keys ${listed(this.names)}`, listed(keys) || 'none')
    }
    const { names, columns } = this
    /** The row with all digits, made when a value may have lost some. */
    let exact: Readonly<Record<string, unknown>> | undefined
    const own = names.map((name) => {
      let value = values[name]
      if (text !== undefined && typeof value !== 'string' && typeof value !== 'boolean' && this.isLossy(value, name)) {
        exact ??= this.exactRow(text)
        value = exact[name]
      }
      return value
    })
    for (let i = 0; i < own.length; i++) columns[i]!.push(own[i])
    if (line !== undefined) this.lines.push(line)
    this.rows++
  }

  /** Whether there are rows that were not returned yet. */
  get hasRows(): boolean {
    return this.rows > this.taken && this.names.length > 0
  }

  /** Whether nothing was returned yet. */
  get isNew(): boolean {
    return this.rows === 0
  }

  /** The rows since the last call. */
  take(): Table {
    const { names, columns, lines } = this
    this.columns = names.map(() => [])
    this.lines = []
    this.taken = this.rows
    return { names, columns, ...(lines.length > 0 && { lines }) }
  }

  /** `addRow`, which keeps why rows were left out. */
  tryRow(add: () => void, onBadRow: OnBadRow | undefined): void {
    addRow(add, onBadRow && ((error) => onBadRow(this.leftOut.noted(error))))
  }

  /** The error of a file without a row that shows the columns. */
  noRows(path: string): SentenceTorchError {
    return noRows(path, this.rows > 0 ? 'only objects without keys' : 'none', this.leftOut)
  }

  private isLossy(value: unknown, name: string): boolean {
    try {
      return hasLostDigits(value)
    } catch {
      throw tooDeep(`"${listed([name])}" in ${this.where(this.rows)}`)
    }
  }

  /** The row whose JSON is `text`, with the digits that JSON.parse may have lost. */
  private exactRow(text: string): Readonly<Record<string, unknown>> {
    try {
      return parseWithBigints(text) as Readonly<Record<string, unknown>>
    } catch (error) {
      throw this.error('integers of at most 4300 digits, and less deep lists and objects', (error as Error).message)
    }
  }

  private inOrder(keys: string[], text: string | undefined): string[] {
    if (!losesOrder(keys)) return keys
    if (text === undefined) throw unknownOrder(keys, `in ${this.where(0)}`)
    return [...keysInText(text).keys()]
  }

  private error(expected: string, found: string): SentenceTorchError {
    return new SentenceTorchError(
      'ERR_INVALID_DATA',
      `Expected ${expected} in ${this.where(this.rows)}, found ${found}`,
    )
  }
}

/** The index of `name` among the columns of a file. */
export function indexOf(names: readonly string[], name: string, where: string, option = 'columns'): number {
  const index = names.indexOf(name)
  if (index === -1) throw invalidArgument(option, `some of ${listed(names)} (in ${where})`, name)
  return index
}

export function noHeader(path: string): SentenceTorchError {
  return new SentenceTorchError('ERR_INVALID_DATA', `Expected a header line in ${path}, found an empty file`)
}
