/** The rows of a `DataSpec`, and what was left out of them. */
import { isAbsolute, join } from 'node:path'
import { addClassNames, type ClassNames } from '../data/class-names.js'
import { ColumnChecker, labelColumnOf, type Value } from '../data/columns.js'
import { Dataset } from '../data/dataset.js'
import { isDataset } from '../data/feed.js'
import { opener } from '../data/readers/index.js'
import { isSameList, listed } from '../data/readers/names.js'
import { addRow, type ReadOptions, type Table } from '../data/readers/table.js'
import type { Column } from '../data/table.js'
import { describe, SentenceTorchError } from '../errors.js'
import { throwIfAborted } from '../io/abort.js'
import { type CheckedDataSpec, checkDataSpec, type DataSpec } from './data-spec.js'

export interface LoadDataOptions {
  /** What relative paths start from. Default: the working directory. */
  folder?: string
  /** What the data are for, in messages. Default `data`. */
  where?: string
  signal?: AbortSignal | undefined
  /** Labels may be texts, the names of classes. Their column is then called `class`, because labels of a Dataset are numbers. */
  textLabels?: boolean
  /** Told when rows were left out. */
  onBadRows?: (bad: LoadedData['badRows']) => void
}

export interface LoadedData {
  dataset: Dataset
  /** File, files or data set of the hub. */
  source: string
  /** Rows that were left out because they could not be read, and the errors of the first ones. */
  badRows: { count: number; first: readonly string[] }
}

/** Errors of bad rows that are kept. */
const KEPT_ERRORS = 5

/**
 * Reads the rows of a spec into memory.
 * @throws ERR_NOT_FOUND; ERR_INVALID_DATA, naming file and line, for a bad row (without `skipBadRows`), and when no row is
 *   left; ERR_INVALID_ARGUMENT and ERR_UNKNOWN_OPTION for the spec; ERR_NETWORK; ERR_ABORTED
 */
export async function loadData(spec: DataSpec | Dataset, options: LoadDataOptions = {}): Promise<LoadedData> {
  if (isDataset(spec as Dataset)) {
    return { dataset: spec as Dataset, source: 'a Dataset of the caller', badRows: { count: 0, first: [] } }
  }
  const { folder, where = 'data', signal } = options
  const checked = checkDataSpec(spec, where)
  const paths = checked.paths.map((path) => (folder === undefined || isAbsolute(path) ? path : join(folder, path)))
  const files = checked.hub === undefined ? paths : await hubFiles(checked, signal)
  const rows = new Rows(checked, options.textLabels)
  for (const file of files) {
    throwIfAborted(signal, `Reading ${file}`)
    for await (const piece of opener(file, readOptions(checked, file, rows.textLabels), rows.onBadRow)()) {
      throwIfAborted(signal, `Reading ${file}`)
      rows.add(piece, file)
      if (rows.isFull) break
    }
    if (rows.isFull) break
  }
  const loaded = rows.end()
  if (loaded.badRows.count > 0) options.onBadRows?.(loaded.badRows)
  return loaded
}

async function hubFiles(spec: CheckedDataSpec, signal: AbortSignal | undefined): Promise<string[]> {
  const { datasetFiles } = await import('../data/hub/dataset-files.js')
  const { hub, subset, revision, split = 'train' } = spec
  return datasetFiles(hub!, split, {
    ...(subset !== undefined && { config: subset }),
    ...(revision !== undefined && { revision }),
    ...(signal && { signal }),
  })
}

function readOptions(
  { columns, labels, header, dtype, field }: CheckedDataSpec,
  file: string,
  textLabels: boolean,
): ReadOptions {
  // The readers take a column named `label` for numbers.
  const isFields = /\.[ct]sv(\.gz)?$/i.test(file)
  const label = labels && isFields ? labelPair(columns)?.[0] : undefined
  const texts = label === undefined ? dtype : { ...dtype, [label]: 'string' as const }
  return {
    ...(columns && { columns: columns.map(([old]) => old) }),
    ...(header !== undefined && { header }),
    ...(texts && { dtype: texts }),
    ...(field !== undefined && { field }),
    ...(textLabels && isFields && { textLabels }),
  }
}

/** Old and new name of the label column, where the spec names the columns. */
function labelPair(columns: CheckedDataSpec['columns']): readonly [string, string] | undefined {
  const label = labelColumnOf(columns?.map(([, name]) => name) ?? [])
  return columns?.find(([, name]) => name === label)
}

/** Collects rows. */
class Rows {
  readonly onBadRow: ((error: SentenceTorchError) => void) | undefined
  readonly #spec: CheckedDataSpec
  readonly textLabels: boolean
  readonly #first: string[] = []
  readonly #classNames = new Map<string, readonly string[]>()
  #bad = 0
  #seen = 0
  #file = ''
  /** Rows seen before the file. */
  #fileStart = 0
  #names: readonly string[] | undefined
  #label: string | undefined
  #columns: Value[][] = []
  #checkers: readonly ColumnChecker[] = []
  #place: (row: number) => string = String

  constructor(spec: CheckedDataSpec, textLabels = false) {
    this.#spec = spec
    this.textLabels = textLabels && spec.labels === undefined && spec.scale === undefined
    if (!spec.skipBadRows) return
    this.onBadRow = (error) => {
      this.#bad++
      if (this.#first.length < KEPT_ERRORS) this.#first.push(error.message)
    }
  }

  get isFull(): boolean {
    return this.#length >= (this.#spec.limit ?? Number.POSITIVE_INFINITY)
  }

  add({ names, columns, lines, classNames }: Table, file: string): void {
    const own = this.#spec.columns?.map(([, name]) => name) ?? names
    if (this.#names === undefined) this.#begin(own, file)
    else if (!isSameList(own, this.#names)) throw otherColumns(own, file, this.#names)
    if (classNames) addClassNames(this.#classNames, this.#renamed(classNames), file)
    if (file !== this.#file) [this.#file, this.#fileStart] = [file, this.#seen]
    const [start, fileStart] = [this.#seen, this.#fileStart]
    // A column's type may show only after rows of earlier pieces, whose lines are gone.
    this.#place = (row) => {
      const line = lines?.[row - start]
      return line === undefined ? `row ${row - fileStart} of ${file}` : `line ${line} of ${file}`
    }
    const rows = columns[0]?.length ?? 0
    for (let row = 0; row < rows && !this.isFull; row++) {
      if (this.#seen++ < (this.#spec.skip ?? 0)) continue
      const number = this.#seen - 1
      addRow(
        () =>
          this.#addRow(
            columns.map((column) => column[row]),
            number,
          ),
        this.onBadRow,
      )
    }
  }

  end(): LoadedData {
    const { source, skip } = this.#spec
    if (this.#length === 0) {
      const left = this.#bad > 0 ? `; ${this.#bad} rows were left out, the first: ${this.#first[0]}` : ''
      const after = skip === undefined ? '' : ` after ${skip}`
      throw new SentenceTorchError(
        'ERR_INVALID_DATA',
        `Expected at least one row${after} in ${source}, found none${left}`,
      )
    }
    const entries = this.#names!.map((name, i): [string, Column] => {
      const classNames = this.#classNames.get(name)
      return [
        name,
        { values: this.#columns[i]!, kind: this.#checkers[i]!.finalKind, ...(classNames && { classNames }) },
      ]
    })
    const columns = new Map(entries)
    const dataset = Dataset.fromChecked(this.textLabels ? withClasses(columns) : columns)
    return { dataset, source, badRows: { count: this.#bad, first: this.#first } }
  }

  get #length(): number {
    return this.#columns[0]?.length ?? 0
  }

  #begin(names: readonly string[], file: string): void {
    this.#names = names
    this.#label = this.textLabels ? undefined : labelColumnOf(names)
    const { labels, scale } = this.#spec
    if (this.#label === undefined && (labels || scale !== undefined)) {
      const message = `${labels ? 'labels' : 'scale'} needs a column label, labels, score or scores in ${file}, found ${listed(names)}; columns renames one`
      throw new SentenceTorchError('ERR_INVALID_DATA', message)
    }
    const where = ` of ${file}`
    this.#checkers = names.map((name) => new ColumnChecker(name, this.#label, where, (row) => this.#place(row)))
    this.#columns = names.map(() => [])
  }

  #addRow(found: readonly unknown[], row: number): void {
    const values = found.map((value, i) => this.#value(value, i, row))
    for (let i = 0; i < values.length; i++) this.#columns[i]!.push(values[i]!)
  }

  #value(found: unknown, column: number, row: number): Value {
    const name = this.#names![column]!
    const isLabel = name === this.#label
    // A value that shows no type would else make a bad row of the next one.
    if (this.onBadRow && (found === null || found === undefined || (isLabel && found === '-'))) {
      throw this.#misfit(isLabel ? 'a label' : 'a value', name, row, found)
    }
    const { labels, scale } = this.#spec
    const value = this.#checkers[column]!.check(isLabel && labels ? this.#labelNumber(found, labels, row) : found, row)
    if (!isLabel || scale === undefined) return value
    if (typeof value !== 'number') throw this.#misfit('a number, because of scale,', name, row, value)
    return value / scale
  }

  #labelNumber(found: unknown, labels: Readonly<Record<string, number>>, row: number): unknown {
    if (found === null || found === '-') return null
    const key = String(found)
    if (Object.hasOwn(labels, key)) return labels[key]
    throw this.#misfit(`one of ${listed(Object.keys(labels))} (labels)`, this.#label!, row, found)
  }

  #misfit(expected: string, column: string, row: number, found: unknown): SentenceTorchError {
    const message = `Expected ${expected} in column "${listed([column])}", ${this.#place(row)}, found ${describe(found)}`
    return new SentenceTorchError('ERR_INVALID_DATA', message)
  }

  #renamed(classNames: ClassNames): ClassNames {
    const { columns } = this.#spec
    if (!columns) return classNames
    return new Map(
      columns.flatMap(([old, name]) => (classNames.has(old) ? [[name, classNames.get(old)!] as const] : [])),
    )
  }
}

function otherColumns(found: readonly string[], file: string, expected: readonly string[]): SentenceTorchError {
  const message = `Expected the columns ${listed(expected)} in ${file}, as in the file before, found ${listed(found)}`
  return new SentenceTorchError('ERR_INVALID_DATA', message)
}

/** The label column, which was read as any other: texts become the column `class`, numbers remain labels. */
function withClasses(columns: ReadonlyMap<string, Column>): Map<string, Column> {
  const label = labelColumnOf([...columns.keys()])
  const pairs = [...columns].map(([name, column]): [string, Column] => {
    if (name !== label) return [name, column]
    if (column.kind === 'text') return [columns.has('class') ? `${name}Name` : 'class', column]
    const isNumber = column.values.every((value) => value === null || typeof value === 'number')
    if (!isNumber) return [name, column]
    return [name, { ...column, kind: 'label', values: column.values.map((value) => value ?? Number.NaN) }]
  })
  return new Map(pairs)
}
