import { describe, invalidArgument, SentenceTorchError } from '../errors.js'
import { readCsv } from './readers/csv.js'
import { RowTable, readJsonl } from './readers/jsonl.js'
import { labelNames, type Table } from './readers/table.js'
import { readTsv } from './readers/tsv.js'

/** A label: a class number, a score, or a vector of scores. */
export type Label = number | readonly number[]
export type Value = string | Label

const readers: Record<string, (path: string) => Promise<Table>> = { jsonl: readJsonl, tsv: readTsv, csv: readCsv }
const notBuilt = ['json', 'parquet', 'arrow', 'zst', 'bz2', 'xz']
/** Names that sentence-transformers puts into a batch itself. */
const reserved = ['return_loss', 'dataset_name']

/**
 * Rows of texts, with labels or without, in memory. The order of the columns counts: it is the order in which a loss takes
 * its texts. The label column is the first of `label`, `labels`, `score`, `scores` that is there; all others are texts.
 * Labels are never rescaled.
 */
export class Dataset {
  readonly length: number
  readonly columnNames: readonly string[]
  /** Name of the column that holds the labels. */
  readonly labelColumn: string | undefined
  /** Names of the other columns, in order. */
  readonly textColumns: readonly string[]
  private readonly columns: ReadonlyMap<string, readonly Value[]>

  private constructor(columns: ReadonlyMap<string, readonly Value[]>) {
    this.columns = columns
    this.columnNames = [...columns.keys()]
    this.length = columns.values().next().value?.length ?? 0
    this.labelColumn = labelNames.find((name) => columns.has(name))
    this.textColumns = this.columnNames.filter((name) => name !== this.labelColumn)
  }

  /**
   * From one object per row; the keys of the first give the columns and their order.
   * @throws SentenceTorchError ERR_INVALID_DATA naming row and column for other keys or values that do not fit.
   */
  static fromRows(rows: readonly Readonly<Record<string, unknown>>[]): Dataset {
    if (!Array.isArray(rows)) throw invalidArgument('rows', 'an array of objects', rows)
    const table = new RowTable((row) => `row ${row}`)
    for (const row of rows) table.add(row)
    return Dataset.fromTable(table, '')
  }

  /**
   * From one array per column, all of the same length: `{ anchor: [...], positive: [...], score: [...] }`.
   * @throws SentenceTorchError ERR_INVALID_DATA for unequal lengths or values that do not fit.
   */
  static fromColumns(columns: Readonly<Record<string, readonly unknown[]>>): Dataset {
    if (typeof columns !== 'object' || columns === null)
      throw invalidArgument('columns', 'an object of arrays', columns)
    const names = Object.keys(columns)
    for (const name of names) {
      if (!Array.isArray(columns[name])) throw invalidArgument(`columns.${name}`, 'an array', columns[name])
    }
    return Dataset.fromTable({ names, columns: names.map((name) => [...columns[name]!]) }, '')
  }

  /**
   * Reads `.jsonl` (one object per line), `.tsv` (header, no quoting) or `.csv` (header, RFC 4180), also with `.gz` behind.
   * @param options.columns which columns to take, in this order; default all in the order of the file.
   * @throws SentenceTorchError ERR_NOT_FOUND, ERR_INVALID_DATA naming the line, ERR_NOT_IMPLEMENTED for other known formats.
   */
  static async fromFile(path: string, options: { columns?: readonly string[] } = {}): Promise<Dataset> {
    if (typeof path !== 'string') throw invalidArgument('path', 'a file name', path)
    const extension = /\.([^./\\]+)$/.exec(path.toLowerCase().replace(/\.gz$/, ''))?.[1] ?? ''
    const read = Object.hasOwn(readers, extension) ? readers[extension] : undefined
    if (!read) {
      if (notBuilt.includes(extension)) {
        const message = `Reading .${extension} (${path}) is not built yet; convert it to .jsonl, .tsv or .csv`
        throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', message)
      }
      throw invalidArgument('path', 'a file ending in .jsonl, .tsv, .csv (or those with .gz)', path)
    }
    const table = await read(path)
    return Dataset.fromTable(options.columns ? pick(table, options.columns, path) : table, ` of ${path}`)
  }

  private static fromTable({ names, columns }: Table, where: string): Dataset {
    const label = labelNames.find((name) => names.includes(name))
    const length = columns[0]?.length ?? 0
    const checked = new Map<string, readonly Value[]>()
    names.forEach((name, i) => {
      const values = columns[i]!
      if (reserved.includes(name)) {
        throw new SentenceTorchError('ERR_INVALID_DATA', `The column name "${name}"${where} is reserved; rename it`)
      }
      if (checked.has(name))
        throw new SentenceTorchError('ERR_INVALID_DATA', `The column "${name}"${where} comes twice`)
      if (values.length !== length) {
        const message = `Expected ${length} rows in column "${name}"${where}, as in "${names[0]}", found ${values.length}`
        throw new SentenceTorchError('ERR_INVALID_DATA', message)
      }
      if (name === label) checkLabels(values, name, where)
      else checkTexts(values, name, label, where)
      checked.set(name, values as Value[])
    })
    return new Dataset(checked)
  }

  /** All values of one column. Do not change them. */
  column(name: string): readonly Value[] {
    const values = this.columns.get(name)
    if (!values) throw invalidArgument('name', `one of the columns ${this.columnNames.join(', ')}`, name)
    return values
  }

  /** All texts of one text column. Do not change them. */
  texts(name: string): readonly string[] {
    if (name === this.labelColumn) throw invalidArgument('name', `one of ${this.textColumns.join(', ')}`, name)
    return this.column(name) as readonly string[]
  }

  /** The labels of all rows, or undefined without a label column. */
  labels(): readonly Label[] | undefined {
    return this.labelColumn === undefined ? undefined : (this.column(this.labelColumn) as readonly Label[])
  }

  /** One row as an object, its keys in the order of the columns. */
  row(index: number): Record<string, Value> {
    this.checkIndex(index)
    return Object.fromEntries(this.columnNames.map((name) => [name, this.columns.get(name)![index]!]))
  }

  /** The rows `indices`, in that order; a row may come several times. */
  select(indices: ArrayLike<number>): Dataset {
    for (let i = 0; i < indices.length; i++) this.checkIndex(indices[i]!)
    const columns = this.columnNames.map((name) => {
      const values = this.columns.get(name)!
      return [name, Array.from(indices, (index) => values[index]!)] as const
    })
    return new Dataset(new Map(columns))
  }

  /** The columns `names`, in that order. */
  selectColumns(names: readonly string[]): Dataset {
    return Dataset.fromTable(
      pick({ names: [...this.columnNames], columns: [...this.columns.values()] as Value[][] }, names, 'the dataset'),
      '',
    )
  }

  private checkIndex(index: number): void {
    if (!Number.isInteger(index) || index < 0 || index >= this.length) {
      throw invalidArgument('index', `an integer from 0 to ${this.length - 1}`, index)
    }
  }
}

function pick(table: Table, names: readonly string[], where: string): Table {
  const columns = names.map((name) => {
    const index = table.names.indexOf(name)
    if (index === -1) throw invalidArgument('columns', `some of ${table.names.join(', ')} (in ${where})`, name)
    return table.columns[index]!
  })
  return { names: [...names], columns }
}

function checkTexts(values: readonly unknown[], name: string, label: string | undefined, where: string): void {
  const row = values.findIndex((value) => typeof value !== 'string')
  if (row === -1) return
  const labelHint = label === undefined ? '' : ` (labels are taken from "${label}")`
  throw new SentenceTorchError(
    'ERR_INVALID_DATA',
    `Expected a text in column "${name}", row ${row}${where}, found ${describe(values[row])}${labelHint}; ` +
      'columns that are neither texts nor labels must be left out',
  )
}

function checkLabels(values: readonly unknown[], name: string, where: string): void {
  const width = Array.isArray(values[0]) ? values[0].length : undefined
  const fits = (value: unknown): boolean =>
    width === undefined
      ? Number.isFinite(value)
      : Array.isArray(value) && value.length === width && value.every((entry) => Number.isFinite(entry))
  const row = values.findIndex((value) => !fits(value))
  if (row === -1) return
  const expected = width === undefined ? 'a finite number' : `an array of ${width} finite numbers`
  throw new SentenceTorchError(
    'ERR_INVALID_DATA',
    `Expected ${expected} in column "${name}", row ${row}${where}, found ${describe(values[row])}`,
  )
}
