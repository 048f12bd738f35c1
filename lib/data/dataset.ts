import { invalidArgument, SentenceTorchError } from '../errors.js'
import { checkOptions } from '../options.js'
import { type ColumnKind, ColumnsBuilder, type Label, labelColumnOf, type Value } from './columns.js'
import type { DatasetHubOptions } from './hub/dataset-files.js'
import { readerOf } from './readers/index.js'
import { RowTable } from './readers/table.js'
import { type SplitOptions, splitRows } from './split-rows.js'
import * as transforms from './transforms.js'

export type { ColumnKind, Label, Value } from './columns.js'
export type { DatasetHubOptions } from './hub/dataset-files.js'
export type { SplitOptions } from './split-rows.js'

/** One column: its values, and what they are. */
export interface Column {
  values: readonly Value[]
  kind: ColumnKind
}

/**
 * Rows of texts, with labels or without, in memory. The order of the columns counts: it is the order in which a loss takes
 * its texts. The label column is the first of `label`, `labels`, `score`, `scores` that is there; all others are inputs,
 * and must be texts or lists of texts once it comes to training. Labels are never rescaled. A dataset never changes: what
 * changes one gives a new one, which shares what stayed the same.
 */
export class Dataset {
  readonly length: number
  readonly columnNames: readonly string[]
  /** Name of the column that holds the labels. */
  readonly labelColumn: string | undefined
  /** Names of the other columns, in order. */
  readonly textColumns: readonly string[]
  private readonly columns: ReadonlyMap<string, Column>
  /** First row without a label, −1 without any; undefined until it was looked for. */
  #unlabelled: number | undefined

  private constructor(columns: ReadonlyMap<string, Column>, length: number) {
    this.columns = columns
    this.length = length
    this.columnNames = [...columns.keys()]
    this.labelColumn = labelColumnOf(this.columnNames)
    this.textColumns = this.columnNames.filter((name) => name !== this.labelColumn)
  }

  /**
   * From one object per row; the keys of the first give the columns and their order.
   * @throws SentenceTorchError ERR_INVALID_DATA naming row and column for other keys or values that do not fit.
   */
  static fromRows(rows: readonly Readonly<Record<string, unknown>>[]): Dataset {
    if (!Array.isArray(rows)) throw invalidArgument('rows', 'an array of objects', rows)
    let number = 0
    const table = new RowTable(() => `row ${number}`)
    for (const row of rows) {
      table.add(row)
      number++
    }
    const { names, columns } = table.take()
    const builder = new ColumnsBuilder(names, '')
    builder.add(columns)
    return Dataset.fromBuilder(builder)
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
    const builder = new ColumnsBuilder(names, '')
    builder.add(names.map((name) => columns[name]!))
    return Dataset.fromBuilder(builder)
  }

  /**
   * Reads `.jsonl` (one object per line), `.json` (an array of objects), `.tsv` (header, no quoting) or `.csv` (header,
   * RFC 4180), also with `.gz` behind, or `.parquet`.
   * @param options.columns which columns to take, in this order; default all in the order of the file.
   * @throws SentenceTorchError ERR_NOT_FOUND, ERR_INVALID_DATA naming the line, ERR_NOT_IMPLEMENTED for other known formats.
   */
  static async fromFile(
    path: string | readonly string[],
    options: { columns?: readonly string[] } = {},
  ): Promise<Dataset> {
    checkOptions('Dataset.fromFile', options, ['columns'])
    const paths: readonly string[] = Array.isArray(path) ? [...path] : [path as string]
    const wanted = options.columns && [...options.columns]
    if (paths.length === 0) throw invalidArgument('path', 'a file name or several', path)
    let builder: ColumnsBuilder | undefined
    for (const file of paths) {
      const read = readerOf(file)
      for await (const { names, columns } of read(file, wanted)) {
        builder ??= new ColumnsBuilder(names, ` of ${file}`)
        if (names.join('\n') !== builder.names.join('\n')) throw otherColumns(names, file, builder.names, paths[0]!)
        builder.add(columns)
      }
    }
    return Dataset.fromBuilder(builder!)
  }

  /**
   * A dataset of the Hugging Face hub: downloads the Parquet files of one split into the cache that Python shares, and reads
   * them. Repositories without Parquet files are read from the conversion that the hub makes (`refs/convert/parquet`).
   * The short names `glue`, `snli`, `squad` mean today's `nyu-mll/glue`, `stanfordnlp/snli`, `rajpurkar/squad`.
   * @throws SentenceTorchError ERR_NOT_FOUND listing what there is for an unknown dataset, config or split; ERR_NETWORK
   */
  static async fromHub(id: string, options: DatasetHubOptions = {}): Promise<Dataset> {
    const { datasetFiles, parseSplit } = await import('./hub/dataset-files.js')
    const { split, rows } = parseSplit(options.split ?? 'train')
    const files = await datasetFiles(id, split, options)
    const dataset = await Dataset.fromFile(files, options.columns && { columns: options.columns })
    const range = rows?.(dataset.length)
    return range ? dataset.take(Int32Array.from({ length: range[1] - range[0] }, (_, i) => range[0] + i)) : dataset
  }

  /** The rows of several datasets, one after the other; they must have the same columns, in any order. */
  static async concatenate(datasets: readonly Dataset[]): Promise<Dataset> {
    const { columns, length } = await transforms.concatenate(datasets)
    return new Dataset(columns, length)
  }

  /** Of columns that were checked before: for the batches of streams. */
  static fromChecked(columns: ReadonlyMap<string, Column>): Dataset {
    return new Dataset(columns, columns.values().next().value?.values.length ?? 0)
  }

  private static fromBuilder({ names, columns, checkers, length }: ColumnsBuilder): Dataset {
    const entries = names.map((name, i) => {
      const { kind = 'texts' } = checkers[i]!
      return [name, { values: columns[i]!, kind }] as const
    })
    return new Dataset(new Map(entries), length)
  }

  /** All values of one column. Do not change them. */
  column(name: string): readonly Value[] {
    return this.columnOf(name).values
  }

  /** What the values of a column are. */
  columnKind(name: string): ColumnKind {
    return this.columnOf(name).kind
  }

  /** All texts of one text column. Do not change them. */
  texts(name: string): readonly string[] {
    return this.inputs(name, 'text') as readonly string[]
  }

  /** All lists of texts of one column, for losses over lists. Do not change them. */
  textLists(name: string): readonly (readonly string[])[] {
    return this.inputs(name, 'texts') as readonly (readonly string[])[]
  }

  /**
   * The labels of all rows, or undefined without a label column.
   * @throws SentenceTorchError ERR_INVALID_DATA when rows have none (null or "-"): see {@link dropUnlabelled}.
   */
  labels(): readonly Label[] | undefined {
    if (this.labelColumn === undefined) return undefined
    const labels = this.column(this.labelColumn) as readonly Label[]
    // Once: it is asked for with every batch.
    this.#unlabelled ??= labels.findIndex((label) => Number.isNaN(label))
    if (this.#unlabelled === -1) return labels
    throw new SentenceTorchError(
      'ERR_INVALID_DATA',
      `Expected a label in column "${this.labelColumn}", row ${this.#unlabelled}, found none; dropUnlabelled() leaves such rows out`,
    )
  }

  /** One row as an object, its keys in the order of the columns. */
  row(index: number): Record<string, Value> {
    this.checkIndex(index)
    return Object.fromEntries(this.columnNames.map((name) => [name, this.columns.get(name)!.values[index]!]))
  }

  /** The rows `indices`, in that order; a row may come several times. */
  select(indices: ArrayLike<number>): Dataset {
    for (let i = 0; i < indices.length; i++) this.checkIndex(indices[i]!)
    const columns = this.mapColumns((values) => Array.from(indices, (index) => values[index]!))
    return new Dataset(columns, indices.length)
  }

  /** The columns `names`, in that order. */
  selectColumns(names: readonly string[]): Dataset {
    return this.withColumns(names.map((name) => [name, name]))
  }

  /** All columns but `names`. */
  removeColumns(names: readonly string[]): Dataset {
    for (const name of names) this.columnOf(name)
    return this.selectColumns(this.columnNames.filter((name) => !names.includes(name)))
  }

  /** The same columns under other names: `{ old: 'new' }`. A column becomes the label column by its new name. */
  renameColumns(names: Readonly<Record<string, string>>): Dataset {
    for (const name of Object.keys(names)) this.columnOf(name)
    return this.withColumns(this.columnNames.map((name) => [name, names[name] ?? name]))
  }

  /** The rows for which `keep` says true. */
  async filter(keep: (row: Record<string, Value>, index: number) => boolean | Promise<boolean>): Promise<Dataset> {
    return this.take(await transforms.filterRows(this, keep))
  }

  /**
   * What `change` gives for every row is put over the row: keys it has take the new value, new keys become columns behind
   * the others.
   * @param options.removeColumns columns of this dataset that the result does not keep
   */
  async map(
    change: (row: Record<string, Value>, index: number) => TransformedRow | Promise<TransformedRow>,
    options: { removeColumns?: readonly string[] } = {},
  ): Promise<Dataset> {
    checkOptions('Dataset.map', options, ['removeColumns'])
    return Dataset.fromBuilder(await transforms.mapRows(this, change, options.removeColumns ?? []))
  }

  /** All rows in an order that depends on the seed alone. */
  async shuffle(seed = 0): Promise<Dataset> {
    return this.take(await transforms.shuffledOrder(this.length, seed))
  }

  /** The first of all rows that are the same in `columns` (default: in all). */
  async dropDuplicates(options: { columns?: readonly string[] } = {}): Promise<Dataset> {
    checkOptions('Dataset.dropDuplicates', options, ['columns'])
    return this.take(await transforms.firstOfEqual(this, options.columns ?? this.columnNames))
  }

  /**
   * The rows that have a label, and how many had none: null or "-" in the data, and −1 where `label` or `labels` holds
   * class numbers (the "no gold label" of SNLI and GLUE). A `score` of −1 is a score.
   */
  async dropUnlabelled(): Promise<{ dataset: Dataset; dropped: number }> {
    const rows = await transforms.labelledRows(this)
    return { dataset: await this.take(rows), dropped: this.length - rows.length }
  }

  /**
   * Two parts of the rows, shuffled by the seed. With `groupBy`, rows that share a value in that column (in any of those
   * columns) are on the same side, so that nothing of the test part was seen in training.
   */
  async trainTestSplit(options: SplitOptions = {}): Promise<{ train: Dataset; test: Dataset }> {
    const { train, test } = await splitRows(this, options)
    return { train: await this.take(train), test: await this.take(test) }
  }

  /** `select` of row numbers that are known to be right, without keeping the event loop. */
  private async take(rows: Int32Array): Promise<Dataset> {
    const columns = new Map<string, Column>()
    for (const [name, { values, kind }] of this.columns) {
      columns.set(name, { values: await transforms.gather(values, rows), kind })
    }
    return new Dataset(columns, rows.length)
  }

  /** @param pairs old and new name */
  private withColumns(pairs: readonly (readonly [string, string])[]): Dataset {
    const label = labelColumnOf(pairs.map(([, name]) => name))
    const columns = new Map<string, Column>()
    for (const [old, name] of pairs) {
      const column = this.columnOf(old)
      if (columns.has(name)) throw invalidArgument('names', 'every column once', name)
      // As label column, or no longer, it is checked again.
      columns.set(name, (column.kind === 'label') === (name === label) ? column : recheck(name, label, column))
    }
    return new Dataset(columns, columns.size === 0 ? 0 : this.length)
  }

  private mapColumns(change: (values: readonly Value[]) => readonly Value[]): Map<string, Column> {
    return new Map([...this.columns].map(([name, { values, kind }]) => [name, { values: change(values), kind }]))
  }

  private columnOf(name: string): Column {
    const column = this.columns.get(name)
    if (!column) throw invalidArgument('name', `one of the columns ${this.columnNames.join(', ')}`, name)
    return column
  }

  private inputs(name: string, wanted: 'text' | 'texts'): readonly Value[] {
    if (name === this.labelColumn) throw invalidArgument('name', `one of ${this.textColumns.join(', ')}`, name)
    const { values, kind } = this.columnOf(name)
    if (kind === wanted || values.length === 0) return values
    throw transforms.notTexts(this, name, wanted)
  }

  private checkIndex(index: number): void {
    if (!Number.isInteger(index) || index < 0 || index >= this.length) {
      throw invalidArgument('index', `an integer from 0 to ${this.length - 1}`, index)
    }
  }
}

/** What a function given to `map` may return. */
export type TransformedRow = Readonly<Record<string, unknown>>

function recheck(name: string, label: string | undefined, { values }: Column): Column {
  const builder = new ColumnsBuilder(label === undefined || label === name ? [name] : [name, label], '')
  const [checker] = builder.checkers
  return { values: values.map((value, row) => checker!.check(value, row)), kind: checker!.kind ?? 'texts' }
}

function otherColumns(found: readonly string[], file: string, expected: readonly string[], first: string) {
  return new SentenceTorchError(
    'ERR_INVALID_DATA',
    `Expected the columns ${expected.join(', ')} in ${file}, as in ${first}, found ${found.join(', ')}`,
  )
}
