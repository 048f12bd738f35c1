/** The computations of a Dataset's methods. Most return the row numbers of the result. */
import { describe, invalidArgument, SentenceTorchError } from '../errors.js'
import { checkInteger } from '../options.js'
import { addClassNames, type ClassNames } from './class-names.js'
import { type ColumnKind, ColumnsBuilder, type Value } from './columns.js'
import { Random } from './random.js'
import { losesOrder, unknownOrder } from './readers/key-order.js'
import { listed } from './readers/names.js'
import { RowTable } from './readers/table.js'
import type { Plain } from './row-types.js'
import { shuffledRows } from './shuffled-rows.js'
import type { Column, Table, TransformedRow } from './table.js'
import { runInSlices, TimeSlice } from './time-slice.js'
import { CHUNK_ROWS, numberValues } from './value-numbers.js'

/** Stands for the epoch, so that a shuffled dataset has another order than the first epoch's batches. */
export const SHUFFLE_STREAM = 0x5f3759df

export function shuffledOrder(rows: number, seed: number): Promise<Int32Array> {
  checkInteger('seed', seed, 0)
  return runInSlices(shuffledRows(rows, new Random(seed, SHUFFLE_STREAM)))
}

/** @param columns keys to take, in this order; default those of the first row */
export async function collectRows(
  rows: Iterable<object> | AsyncIterable<object>,
  columns: readonly string[] | undefined,
): Promise<ColumnsBuilder> {
  const given: unknown = rows
  const isIterable =
    typeof given === 'object' && given !== null && (Symbol.asyncIterator in given || Symbol.iterator in given)
  if (!isIterable) throw invalidArgument('rows', 'an (async) iterable of objects', rows)
  let number = 0
  const table = new RowTable(() => `row ${number}`, columns)
  let builder: ColumnsBuilder | undefined
  const flush = () => {
    const piece = table.take()
    builder ??= new ColumnsBuilder(piece.names, '')
    builder.add(piece.columns)
    return builder
  }
  const slice = new TimeSlice()
  for await (const row of rows) {
    table.add(row)
    if (++number % CHUNK_ROWS !== 0) continue
    flush()
    await slice.yield()
  }
  return flush()
}

/** The `values` of `rows`. */
export async function gather(values: readonly Value[], rows: Int32Array): Promise<Value[]> {
  const slice = new TimeSlice()
  const taken: Value[] = []
  for (let i = 0; i < rows.length; i++) {
    taken.push(values[rows[i]!]!)
    if (i % CHUNK_ROWS === 0) await slice.yield()
  }
  return taken
}

export async function filterRows<Row extends object>(
  dataset: Table<Row>,
  keep: (row: Plain<Row>, index: number) => boolean | Promise<boolean>,
): Promise<Int32Array> {
  if (typeof keep !== 'function') throw invalidArgument('keep', 'a function of a row', keep)
  const slice = new TimeSlice()
  const rows: number[] = []
  for (let row = 0; row < dataset.length; row++) {
    let kept = keep(dataset.row(row), row)
    if (typeof kept === 'object') kept = await kept
    if (kept) rows.push(row)
    if (slice.isOver) await slice.yield()
  }
  return Int32Array.from(rows)
}

export async function mapRows<Row extends object>(
  dataset: Table<Row>,
  change: (row: Plain<Row>, index: number) => object | Promise<object>,
  removed: readonly string[],
  columns?: readonly string[],
): Promise<ColumnsBuilder> {
  if (typeof change !== 'function') throw invalidArgument('change', 'a function of a row', change)
  for (const name of removed) dataset.columnKind(name)
  const slice = new TimeSlice()
  const gone = new Set(removed)
  const kept = dataset.columnNames.filter((name) => !gone.has(name))
  const keeps = new Set(kept)
  let builder: ColumnsBuilder | undefined
  for (let row = 0; row < dataset.length; row++) {
    let given = change(dataset.row(row), row)
    if (given instanceof Promise) given = await given
    const changed = given as TransformedRow
    if (typeof changed !== 'object' || changed === null) {
      throw new SentenceTorchError(
        'ERR_INVALID_DATA',
        `Expected an object of what the function returns for row ${row}, found ${describe(changed)}`,
      )
    }
    const added = Object.keys(changed).filter((name) => !keeps.has(name))
    if (builder === undefined) {
      // Existing columns keep their places. The object only has to show the order of new ones.
      if (!columns && losesOrder(added)) throw unknownOrder(added, 'as new columns in what the function returns')
      builder = new ColumnsBuilder(columns ?? [...kept, ...added], ' of the mapped dataset')
    }
    const { names } = builder
    const has = (name: string) => Object.hasOwn(changed, name) || keeps.has(name)
    if (!names.every(has) || (!columns && names.length !== kept.length + added.length)) {
      throw new SentenceTorchError(
        'ERR_INVALID_DATA',
        `Expected the keys ${listed(names)} after the function${columns ? '' : ', as in row 0'}, found ` +
          `${listed([...kept, ...added])} in row ${row}`,
      )
    }
    builder.add(names.map((name) => [Object.hasOwn(changed, name) ? changed[name] : dataset.column(name)[row]]))
    if (slice.isOver) await slice.yield()
  }
  return builder ?? new ColumnsBuilder(columns ?? kept, '')
}

/** The class names of the columns that `mapRows` did not change. Changed numbers may stand for other classes. */
export async function keptClassNames(dataset: Table, { names, columns }: ColumnsBuilder): Promise<ClassNames> {
  const slice = new TimeSlice()
  const kept = new Map<string, readonly string[]>()
  const known = new Set(dataset.columnNames)
  for (const [c, name] of names.entries()) {
    const classNames = known.has(name) ? dataset.classNames(name) : undefined
    if (classNames === undefined) continue
    const before = dataset.column(name)
    let row = 0
    for (; row < before.length && Object.is(before[row], columns[c]![row]); row++) {
      if (row % CHUNK_ROWS === 0) await slice.yield()
    }
    if (row === before.length) kept.set(name, classNames)
  }
  return kept
}

/** The first of all rows with the same values in `columns`. */
export async function firstOfEqual(dataset: Table, names: readonly string[]): Promise<Int32Array> {
  const columns = [...names]
  for (const name of columns) dataset.columnKind(name)
  const slice = new TimeSlice()
  const { ids, numbers } = await runInSlices(numberValues(dataset, columns), slice)
  const distinct = numbers.counts.length
  // Combines pairs of numbers into one number, column by column. There are 64 maps, because a single large map blocks for
  // long whenever it grows.
  let keys = new Float64Array(dataset.length)
  let known = 0
  for (let c = 0; c < columns.length; c++) {
    const maps = Array.from({ length: 64 }, () => new Map<number, number>())
    const joined = new Float64Array(dataset.length)
    known = 0
    for (let row = 0; row < dataset.length; row++) {
      const pair = keys[row]! * distinct + ids[row * columns.length + c]!
      const map = maps[pair % 64]!
      let key = map.get(pair)
      if (key === undefined) {
        key = known++
        map.set(pair, key)
      }
      joined[row] = key
      if (row % CHUNK_ROWS === 0) await slice.yield()
    }
    keys = joined
  }
  const rows: number[] = []
  // Keys have the order of first appearance. So a row is the first of its kind when its key is the next new one.
  for (let row = 0; row < dataset.length; row++) if (keys[row] === rows.length) rows.push(row)
  return Int32Array.from(rows)
}

export async function labelledRows(dataset: Table): Promise<Int32Array> {
  const name = dataset.labelColumn
  if (name === undefined) {
    throw new SentenceTorchError(
      'ERR_INVALID_DATA',
      `Expected a label column named label, labels, score or scores, found only ${listed(dataset.columnNames)}`,
    )
  }
  const labels = dataset.column(name)
  const slice = new TimeSlice()
  // −1 means "no class". Among fractions it is a score.
  let areClasses = name.startsWith('label')
  const rows: number[] = []
  let unclassed = 0
  for (let row = 0; row < labels.length; row++) {
    const label = labels[row]!
    if (row % CHUNK_ROWS === 0) await slice.yield()
    if (Number.isNaN(label)) continue
    areClasses &&= Number.isInteger(label)
    rows.push(row)
    if (label === -1) unclassed++
  }
  if (!areClasses || unclassed === 0) return Int32Array.from(rows)
  return Int32Array.from(rows.filter((row) => labels[row] !== -1))
}

export async function concatenate(given: readonly Table[]): Promise<{ columns: Map<string, Column>; length: number }> {
  if (!Array.isArray(given) || given.length === 0) throw invalidArgument('datasets', 'an array of datasets', given)
  const datasets = [...given]
  const first = datasets[0]!
  datasets.forEach((dataset, i) => {
    const misfit = schemaConflict(first, dataset)
    if (misfit) throw new SentenceTorchError('ERR_INVALID_DATA', `Dataset ${i} does not fit to dataset 0: ${misfit}`)
  })
  const slice = new TimeSlice()
  const columns = new Map<string, Column>()
  const classNames = new Map<string, readonly string[]>()
  for (const name of first.columnNames) {
    datasets.forEach((dataset, i) => {
      const names = dataset.classNames(name)
      if (names) addClassNames(classNames, new Map([[name, names]]), `dataset ${i}`)
    })
    const values: Value[] = []
    for (const dataset of datasets) {
      for (const value of dataset.column(name)) {
        values.push(value)
        if (values.length % CHUNK_ROWS === 0) await slice.yield()
      }
    }
    columns.set(name, { values, kind: first.columnKind(name), classNames: classNames.get(name) })
  }
  return { columns, length: datasets.reduce((sum, { length }) => sum + length, 0) }
}

function schemaConflict(first: Table, other: Table): string | undefined {
  const [known, others] = [new Set(first.columnNames), new Set(other.columnNames)]
  const lacks = first.columnNames.filter((name) => !others.has(name))
  const more = other.columnNames.filter((name) => !known.has(name))
  if (lacks.length > 0) return `it lacks ${listed(lacks)}${more.length > 0 ? ` and has ${listed(more)}` : ''}`
  if (more.length > 0) return `it also has ${listed(more)}`
  for (const name of first.columnNames) {
    const [expected, found] = [describeKind(first, name), describeKind(other, name)]
    if (expected !== found && first.length > 0 && other.length > 0)
      return `its column ${name} holds ${found}, not ${expected}`
  }
  return undefined
}

const kindNames: Record<ColumnKind, string> = {
  text: 'texts',
  texts: 'lists of texts',
  label: 'labels',
  other: 'values that are neither texts nor labels',
}

function describeKind(dataset: Table, name: string): string {
  const kind = dataset.columnKind(name)
  if (kind !== 'label') return kindNames[kind]
  const label = dataset.column(name).find((value) => !Number.isNaN(value))
  return Array.isArray(label) ? 'lists of labels' : 'labels'
}

/** The error for reading a column of other values as texts. */
export function notTexts(dataset: Table, name: string, wanted: 'text' | 'texts'): SentenceTorchError {
  const found = dataset.columnKind(name)
  const hint =
    found === 'other'
      ? `${dataset.labelColumn === undefined ? '' : ` (labels are taken from "${dataset.labelColumn}")`}; ` +
        `leave it out with removeColumns(['${name}'])`
      : ''
  return new SentenceTorchError(
    'ERR_INVALID_DATA',
    `Expected ${kindNames[wanted]} in column "${name}", found ${kindNames[found]}, such as ${describe(dataset.column(name)[0])} in row 0${hint}`,
  )
}
