import type { InspectOptionsStylized } from 'node:util'
import { invalidArgument, SentenceTorchError, suggestion } from '../errors.js'
import { throwIfAborted } from '../io/abort.js'
import { checkInteger, checkOptions, checkSignal, checkType, listOfNames, ownCopy } from '../options.js'
import { addClassNames, type ClassNames } from './class-names.js'
import { type ColumnChoice, chooseColumns, columnsOf } from './column-choice.js'
import { type ColumnKind, ColumnsBuilder, type Label, labelColumnOf, type Value } from './columns.js'
import type { DatasetHubOptions } from './hub/dataset-files.js'
import { INSPECT, type Inspect, inspectDataset } from './inspect.js'
import { opener } from './readers/index.js'
import { losesOrder, unknownOrder } from './readers/key-order.js'
import { isSameList, listed } from './readers/names.js'
import { type ReadOptions, RowTable } from './readers/table.js'
import { rowNumber, rowNumbers } from './row-numbers.js'
import type { DatasetRow, MappedRow, Plain, RenamedRow, RestRow, SelectedRow, StoredRow } from './row-types.js'
import { type SplitOptions, splitRows } from './split-rows.js'
import type { Column } from './table.js'
import * as transforms from './transforms.js'
import type { WriteOptions } from './writers/index.js'

export type { ColumnKind, Label, Value } from './columns.js'
export type { DatasetHubOptions } from './hub/dataset-files.js'
export type { ReadOptions } from './readers/table.js'
export type { DatasetRow } from './row-types.js'
export type { SplitOptions } from './split-rows.js'
export type { TransformedRow } from './table.js'
export type { WriteOptions } from './writers/index.js'

/**
 * Rows of texts, with or without labels, in memory. A loss takes its texts in the order of the columns. The label column is
 * the first of `label`, `labels`, `score`, `scores` that exists. All other columns are inputs; for training they must hold
 * texts or lists of texts. Labels are never rescaled. A dataset never changes: a method that changes something returns a
 * new dataset, which shares the unchanged columns. `for (const row of dataset)` goes through the rows.
 *
 * @typeParam Row type of a row for the compiler: `Dataset.fromFile<{ text: string; label: number }>(…)`. It is not checked
 * at run time. A missing label is NaN.
 */
export class Dataset<Row extends object = DatasetRow> {
  readonly length: number
  readonly columnNames: readonly string[]
  /** Name of the column that holds the labels. */
  readonly labelColumn: string | undefined
  /** Names of the other columns, in order. */
  readonly textColumns: readonly string[]
  private readonly columns: ReadonlyMap<string, Column>
  /** First row without a label, −1 for none; undefined before the search. */
  #unlabelled: number | undefined

  private constructor(columns: ReadonlyMap<string, Column>, length: number) {
    if (!(columns instanceof Map)) {
      const message =
        'new Dataset(…) takes no rows: use Dataset.fromRows, Dataset.fromColumns or await Dataset.fromFile'
      throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
    }
    this.columns = columns
    this.length = length
    this.columnNames = [...columns.keys()]
    this.labelColumn = labelColumnOf(this.columnNames)
    this.textColumns = this.columnNames.filter((name) => name !== this.labelColumn)
  }

  /**
   * From one object per row. The keys of the first object give the columns and their order.
   * @param options.columns keys to take, in this order; needed where a key is a whole number, such as "1", because objects
   * have those first.
   * @throws SentenceTorchError ERR_INVALID_DATA naming row and column for other keys or values that do not fit.
   */
  static fromRows(rows: readonly Readonly<Record<string, unknown>>[], options?: ColumnChoice): Dataset
  static fromRows<Row extends object>(rows: readonly Row[], options?: ColumnChoice): Dataset<StoredRow<Row>>
  static fromRows(rows: readonly object[], options: ColumnChoice = {}): Dataset {
    checkOptions('Dataset.fromRows', options, ['columns'])
    if (!Array.isArray(rows)) throw invalidArgument('rows', 'an array of objects', rows)
    let number = 0
    const table = new RowTable(() => `row ${number}`, columnsOf(options))
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
   * @param options.columns as for {@link fromRows}
   * @throws SentenceTorchError ERR_INVALID_DATA for unequal lengths or values that do not fit.
   */
  static fromColumns(columns: Readonly<Record<string, readonly unknown[]>>, options?: ColumnChoice): Dataset
  static fromColumns<Row extends object>(
    columns: { readonly [Name in keyof Row]: readonly Row[Name][] },
    options?: ColumnChoice,
  ): Dataset<StoredRow<Row>>
  static fromColumns(columns: Readonly<Record<string, readonly unknown[]>>, options: ColumnChoice = {}): Dataset {
    checkOptions('Dataset.fromColumns', options, ['columns'])
    if (typeof columns !== 'object' || columns === null)
      throw invalidArgument('columns', 'an object of arrays', columns)
    const wanted = columnsOf(options)
    const names = wanted ?? Object.keys(columns)
    if (!wanted && losesOrder(names)) throw unknownOrder(names, 'as keys of the object')
    for (const name of names) {
      if (!Array.isArray(columns[name])) throw invalidArgument(`columns.${name}`, 'an array', columns[name])
    }
    const builder = new ColumnsBuilder(names, '')
    builder.add(names.map((name) => columns[name]!))
    return Dataset.fromBuilder(builder)
  }

  /**
   * From an iterable or async iterable of objects, in memory: `await Dataset.fromIterable(readTexts('docs'))`. The keys of
   * the first object give the columns and their order.
   * @param options.columns as for {@link fromRows}
   * @throws SentenceTorchError ERR_INVALID_DATA as {@link fromRows}
   */
  static async fromIterable<Row extends object>(
    rows: Iterable<Row> | AsyncIterable<Row>,
    options: ColumnChoice = {},
  ): Promise<Dataset<StoredRow<Row>>> {
    checkOptions('Dataset.fromIterable', options, ['columns'])
    return Dataset.fromBuilder(await transforms.collectRows(rows, columnsOf(options)))
  }

  /**
   * Reads `.jsonl` (one object per line), `.json` (an array of objects), `.tsv` (header, no quoting) or `.csv` (header,
   * RFC 4180), also with `.gz` behind, or `.parquet`. Columns of `.csv` and `.tsv` files whose fields are all numbers hold
   * numbers, as in Python; integers beyond 2^53 are bigints. See docs/data.md.
   * @param options.columns columns to take (a name or several), in this order; default all, in the order of the file.
   * @param options.header `false`: a `.csv` or `.tsv` file begins with a row, and `columns` names all its columns.
   * @param options.dtype columns of a `.csv` or `.tsv` file that hold texts, even if they look like numbers: `{ id:
   * 'string' }`.
   * @param options.field for a `.json` file: the key of its object whose value is the array of rows.
   * @param options.signal stops reading
   * @throws SentenceTorchError ERR_NOT_FOUND, ERR_INVALID_DATA naming the line, ERR_NOT_IMPLEMENTED for other known formats,
   *   ERR_ABORTED
   */
  static async fromFile<Row extends object = DatasetRow>(
    path: string | readonly string[],
    options: ReadOptions & { signal?: AbortSignal | undefined } = {},
  ): Promise<Dataset<Row>> {
    checkOptions('Dataset.fromFile', options, ['columns', 'header', 'dtype', 'field', 'signal'])
    const paths: readonly string[] = Array.isArray(path) ? [...path] : [path as string]
    const { signal, ...read } = options
    checkSignal(signal)
    const given = ownCopy(read)
    if (paths.length === 0) throw invalidArgument('path', 'a file name or several', path)
    let builder: ColumnsBuilder | undefined
    const classNames = new Map<string, readonly string[]>()
    for (const file of paths) {
      throwIfAborted(signal, `Reading ${file}`)
      for await (const { names, columns, classNames: found } of opener(file, given)()) {
        throwIfAborted(signal, `Reading ${file}`)
        builder ??= new ColumnsBuilder(names, ` of ${file}`)
        if (!isSameList(names, builder.names)) throw otherColumns(names, file, builder.names, paths[0]!)
        builder.add(columns)
        if (found) addClassNames(classNames, found, file)
      }
    }
    return Dataset.fromBuilder<Row>(builder!, classNames)
  }

  /**
   * A dataset of the Hugging Face hub. Downloads the Parquet files of one split into the cache that Python shares, and
   * reads them. Repositories without Parquet files are read from the hub's conversion (`refs/convert/parquet`). The short
   * names `glue`, `snli`, `squad` stand for `nyu-mll/glue`, `stanfordnlp/snli`, `rajpurkar/squad`.
   * @throws SentenceTorchError ERR_NOT_FOUND, listing the existing ones, for an unknown dataset, config or split;
   * ERR_NETWORK; ERR_FILE_SYSTEM; ERR_ABORTED
   */
  static async fromHub<Row extends object = DatasetRow>(
    id: string,
    options: DatasetHubOptions = {},
  ): Promise<Dataset<Row>> {
    const { checkHubOptions, datasetFiles, parseSplit } = await import('./hub/dataset-files.js')
    checkHubOptions(options)
    const { columns, signal } = options
    const { split, rows } = parseSplit(options.split ?? 'train')
    const files = await datasetFiles(id, split, options)
    const dataset = await Dataset.fromFile<Row>(files, {
      ...(columns !== undefined && { columns }),
      ...(signal && { signal }),
    })
    const range = rows?.(dataset.length)
    return range ? dataset.take(Int32Array.from({ length: range[1] - range[0] }, (_, i) => range[0] + i)) : dataset
  }

  /** The rows of several datasets, one after the other; they must have the same columns, in any order. */
  static async concatenate<Row extends object = DatasetRow>(datasets: readonly Dataset<Row>[]): Promise<Dataset<Row>> {
    const { columns, length } = await transforms.concatenate(datasets)
    return new Dataset<Row>(columns, length)
  }

  /** A dataset of columns that are already checked, for the batches of streams. */
  static fromChecked(columns: ReadonlyMap<string, Column>): Dataset {
    return new Dataset(columns, columns.values().next().value?.values.length ?? 0)
  }

  private static fromBuilder<Row extends object>(
    { names, columns, checkers, length }: ColumnsBuilder,
    classNames?: ClassNames,
  ): Dataset<Row> {
    const entries = names.map((name, i) => {
      const { finalKind: kind } = checkers[i]!
      return [name, { values: columns[i]!, kind, classNames: classNames?.get(name) }] as const
    })
    return new Dataset<Row>(new Map(entries), length)
  }

  /** All values of one column. Do not change them. */
  column(name: string): readonly Value[] {
    return this.columnOf(name).values
  }

  /** The type of a column's values. */
  columnKind(name: string): ColumnKind {
    return this.columnOf(name).kind
  }

  /**
   * The names of a column's class numbers, the name of 0 first. Parquet files and data sets of the hub have them as
   * `ClassLabel` features. They stay with the column. `map` drops them when it changes the column's values. Undefined if
   * the data have none.
   */
  classNames(column: string): readonly string[] | undefined {
    return this.columnOf(column).classNames
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
    // Searched for only once, because every batch asks for the labels.
    this.#unlabelled ??= labels.findIndex((label) => Number.isNaN(label))
    if (this.#unlabelled === -1) return labels
    throw new SentenceTorchError(
      'ERR_INVALID_DATA',
      `Expected a label in column "${this.labelColumn}", row ${this.#unlabelled}, found none; dropUnlabelled() leaves such rows out`,
    )
  }

  /**
   * One row as an object. Its keys have the order of the columns, except whole numbers such as "1", which objects have
   * first. A negative `index` counts from the end.
   */
  row(index: number): Plain<Row> {
    const number = rowNumber(index, this.length)
    return Object.fromEntries(
      this.columnNames.map((name) => [name, this.columns.get(name)!.values[number]!]),
    ) as Plain<Row>
  }

  /** The rows, one after the other. */
  *[Symbol.iterator](): Generator<Plain<Row>, void, undefined> {
    for (let row = 0; row < this.length; row++) yield this.row(row)
  }

  /** The first `count` rows; if `count` is negative, all but the last −`count` rows. */
  head(count = 5): Dataset<Row> {
    checkInteger('count', count ?? null, Number.MIN_SAFE_INTEGER)
    const length = count < 0 ? Math.max(0, this.length + count) : Math.min(count, this.length)
    return new Dataset<Row>(
      this.mapColumns((values) => values.slice(0, length)),
      length,
    )
  }

  /** The rows `indices`, in that order. A row may appear several times. A negative index counts from the end. */
  select(indices: ArrayLike<number> | Iterable<number>): Dataset<Row> {
    const rows = rowNumbers(indices, this.length)
    const columns = this.mapColumns((values) => Array.from(rows, (row) => values[row]!))
    return new Dataset<Row>(columns, rows.length)
  }

  /** The columns `names`, in that order. */
  selectColumns<Name extends string>(names: Name | readonly Name[]): Dataset<SelectedRow<Row, Name>> {
    return this.withColumns(listOfNames('names', names).map((name) => [name, name]))
  }

  /** All columns but `names`. */
  removeColumns<Name extends string>(names: Name | readonly Name[]): Dataset<RestRow<Row, Name>> {
    const removed = new Set<string>(listOfNames('names', names))
    for (const name of removed) this.columnOf(name)
    const kept = this.columnNames.filter((name) => !removed.has(name))
    return this.withColumns(kept.map((name) => [name, name]))
  }

  /** The same columns under other names: `{ old: 'new' }`. A column becomes the label column by its new name. */
  renameColumns<const Names extends Readonly<Record<string, string>>>(names: Names): Dataset<RenamedRow<Row, Names>> {
    checkType('names', names ?? null, 'object')
    for (const [name, next] of Object.entries(names)) {
      this.columnOf(name)
      checkType(`names.${name}`, next ?? null, 'string')
    }
    return this.withColumns(this.columnNames.map((name) => [name, Object.hasOwn(names, name) ? names[name]! : name]))
  }

  /** The rows for which `keep` returns true. */
  async filter(keep: (row: Plain<Row>, index: number) => boolean | Promise<boolean>): Promise<Dataset<Row>> {
    return this.take(await transforms.filterRows(this, keep))
  }

  /**
   * Calls `change` for every row and merges the result into the row. Existing keys take the new value. New keys become
   * columns after the others.
   * @param options.removeColumns columns (a name or several) of this dataset that the result drops
   * @param options.columns columns of the result, in this order; needed where one of several new keys is a whole number,
   * because objects have such keys first
   */
  async map<Changes extends object, Removed extends string = never>(
    change: (row: Plain<Row>, index: number) => Changes | Promise<Changes>,
    options: { removeColumns?: Removed | readonly Removed[] } & ColumnChoice = {},
  ): Promise<Dataset<MappedRow<Row, Changes, Removed>>> {
    checkOptions('Dataset.map', options, ['removeColumns', 'columns'])
    const removed = listOfNames('removeColumns', options.removeColumns ?? [])
    const builder = await transforms.mapRows(this, change, removed, columnsOf(options))
    return Dataset.fromBuilder(builder, await transforms.keptClassNames(this, builder))
  }

  /** All rows in an order that depends on the seed alone. */
  async shuffle(seed = 0): Promise<Dataset<Row>> {
    return this.take(await transforms.shuffledOrder(this.length, seed))
  }

  /** The first of all rows that are equal in `columns` (default: in all columns). */
  async dropDuplicates(options: { columns?: string | readonly string[] } = {}): Promise<Dataset<Row>> {
    checkOptions('Dataset.dropDuplicates', options, ['columns'])
    return this.take(await transforms.firstOfEqual(this, listOfNames('columns', options.columns ?? this.columnNames)))
  }

  /**
   * The rows that have a label, and the number of rows without one: null or "-" in the data, and −1 where `label` or
   * `labels` holds class numbers (the "no gold label" of SNLI and GLUE). A `score` of −1 is a score.
   */
  async dropUnlabelled(): Promise<{ dataset: Dataset<Row>; dropped: number }> {
    const rows = await transforms.labelledRows(this)
    return { dataset: await this.take(rows), dropped: this.length - rows.length }
  }

  /**
   * Two parts of the rows, shuffled by the seed. With `groupBy`, rows that share a value in that column (or in one of those
   * columns) are in the same part, so that training never saw a value of the test part.
   */
  async trainTestSplit(options: SplitOptions = {}): Promise<{ train: Dataset<Row>; test: Dataset<Row> }> {
    const { train, test } = await splitRows(this, options)
    return { train: await this.take(train), test: await this.take(test) }
  }

  /**
   * Writes the rows as `.jsonl`, `.csv`, `.tsv` (these three also with `.gz` behind) or `.parquet`. `Dataset.fromFile` reads
   * equal values: what a format cannot hold is an error, and so is a text that CSV would give back as a number. A complete file
   * is always at `path`: it is replaced at the end. Parquet files keep class names.
   * @param options.dtype columns of a `.csv` or `.tsv` file whose texts look like numbers: `{ id: 'string' }`. Read the file
   * with the same option.
   * @param options.signal stops writing
   * @throws SentenceTorchError ERR_INVALID_DATA naming column and row; ERR_FILE_SYSTEM, ERR_NOT_FOUND; ERR_ABORTED
   */
  async toFile(path: string, options: WriteOptions = {}): Promise<void> {
    const { writeDataset } = await import('./writers/index.js')
    await writeDataset(this, path, options)
  }

  /** The output of console.log: the columns, their types, and the first rows. */
  [INSPECT](depth: number, options: InspectOptionsStylized, show: Inspect): string {
    return inspectDataset(this, depth, options, show)
  }

  /** `select` with valid row numbers. It does not block the event loop. */
  private async take(rows: Int32Array): Promise<Dataset<Row>> {
    const columns = new Map<string, Column>()
    for (const [name, column] of this.columns) {
      columns.set(name, { ...column, values: await transforms.gather(column.values, rows) })
    }
    return new Dataset<Row>(columns, rows.length)
  }

  /** @param pairs old and new name */
  private withColumns<NewRow extends object>(pairs: readonly (readonly [string, string])[]): Dataset<NewRow> {
    const columns = chooseColumns(pairs, (name) => this.columnOf(name))
    return new Dataset<NewRow>(columns, columns.size === 0 ? 0 : this.length)
  }

  private mapColumns(change: (values: readonly Value[]) => readonly Value[]): Map<string, Column> {
    return new Map([...this.columns].map(([name, column]) => [name, { ...column, values: change(column.values) }]))
  }

  private columnOf(name: string): Column {
    const column = this.columns.get(name)
    if (!column) {
      const close = suggestion(String(name), this.columnNames)
      const hint = close === undefined ? '' : ` (did you mean ${close}?)`
      throw invalidArgument('name', `one of the columns ${listed(this.columnNames)}${hint}`, name)
    }
    return column
  }

  private inputs(name: string, wanted: 'text' | 'texts'): readonly Value[] {
    if (name === this.labelColumn) throw invalidArgument('name', `one of ${listed(this.textColumns)}`, name)
    const { values, kind } = this.columnOf(name)
    if (kind === wanted || values.length === 0) return values
    throw transforms.notTexts(this, name, wanted)
  }
}

function otherColumns(found: readonly string[], file: string, expected: readonly string[], first: string) {
  return new SentenceTorchError(
    'ERR_INVALID_DATA',
    `Expected the columns ${listed(expected)} in ${file}, as in ${first}, found ${listed(found)}`,
  )
}
