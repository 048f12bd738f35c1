import { describe, type SentenceTorchError } from '../../errors.js'
import { csvRecord, tsvRecord, unfitForTsv } from '../delimited.js'
import { FieldColumn } from '../readers/field-column.js'
import { listed } from '../readers/names.js'
import { type FieldOptions, fieldKind, LOOK_ROWS } from '../readers/table.js'
import type { Table } from '../table.js'
import { numberText } from './number-text.js'
import { BROKEN, checkNames, isBroken, type Spot, unfit, unfitName } from './unfit.js'

/** Rows that are made at once, without freeing the event loop. LOOK_ROWS is a multiple. */
const CHUNK_ROWS = 500
const OTHER_FILE = 'write a .jsonl or .parquet file'

export function* csvLines(dataset: Table, path: string, options: FieldOptions): Generator<string, void, undefined> {
  for (const { fields } of records(dataset, path, options)) yield `${csvRecord(fields)}\n`
}

export function* tsvLines(dataset: Table, path: string, options: FieldOptions): Generator<string, void, undefined> {
  const names = dataset.columnNames
  for (const { fields, row } of records(dataset, path, options)) {
    fields.forEach((field, i) => {
      const what = unfitForTsv(field, fields.length === 1)
      if (what === undefined) return
      const remedy = 'write a .csv, .jsonl or .parquet file'
      if (row === undefined) throw unfitName(path, names[i]!, what, remedy)
      throw unfit({ path, column: names[i]!, row }, what, remedy)
    })
    yield `${tsvRecord(fields)}\n`
  }
}

/** The header, whose row is undefined, and the rows. */
function* records(
  dataset: Table,
  path: string,
  { dtype = {} }: FieldOptions,
): Generator<{ fields: readonly string[]; row: number | undefined }, void, undefined> {
  const names = dataset.columnNames
  checkNames(names, path)
  yield { fields: names, row: undefined }
  const columns = names.map((name) => ({
    name,
    values: dataset.column(name) as readonly unknown[],
    reader: new RereadColumn(name, path, dtype),
  }))
  for (let start = 0; start < dataset.length; start += CHUNK_ROWS) {
    const end = Math.min(start + CHUNK_ROWS, dataset.length)
    const texts = columns.map(({ name, values, reader }) => {
      const fields: string[] = []
      for (let row = start; row < end; row++) fields.push(fieldOf(values[row], { path, column: name, row }))
      reader.add(fields, values)
      return fields
    })
    for (let row = start; row < end; row++) yield { fields: texts.map((fields) => fields[row - start]!), row }
  }
  for (const { reader, values } of columns) reader.end(values)
}

function fieldOf(value: unknown, spot: Spot): string {
  switch (typeof value) {
    case 'string':
      if (isBroken(value)) throw unfit(spot, BROKEN, OTHER_FILE)
      return value
    case 'number':
      return Number.isNaN(value) ? '' : numberText(value)
    case 'bigint':
    case 'boolean':
      return String(value)
    default:
      if (value === null) return ''
      if (Array.isArray(value)) throw unfit(spot, 'a list', OTHER_FILE)
      throw unfit(spot, value instanceof Date ? 'a date' : describe(value), OTHER_FILE)
  }
}

/** Reads the fields of a column as the reader will, so that a field that would become another value is found. */
class RereadColumn {
  private readonly column: FieldColumn
  private readonly isText: boolean
  private rows = 0
  private compared = 0

  constructor(
    private readonly name: string,
    private readonly path: string,
    dtype: Readonly<Record<string, 'string'>>,
  ) {
    this.column = new FieldColumn(name, path, fieldKind(name, dtype))
    this.isText = Object.hasOwn(dtype, name)
  }

  /** @param values of the whole column */
  add(fields: readonly string[], values: readonly unknown[]): void {
    for (const field of fields) {
      try {
        this.column.add(field, 0)
      } catch {
        throw this.changed(values[this.rows], this.rows, undefined)
      }
      this.rows++
    }
    if (this.rows >= LOOK_ROWS) this.column.decide()
    if (!this.column.isOpen) this.compare(values)
  }

  end(values: readonly unknown[]): void {
    this.column.decide()
    this.compare(values)
  }

  private compare(values: readonly unknown[]): void {
    for (const found of this.column.take()) {
      const row = this.compared++
      if (!isSame(found, values[row])) throw this.changed(values[row], row, found)
    }
  }

  private changed(value: unknown, row: number, read: unknown): SentenceTorchError {
    const { path, name } = this
    const isText = typeof value === 'string'
    const example = `{ dtype: { ${JSON.stringify(listed([name]))}: 'string' } }`
    const remedy =
      isText && !this.isText
        ? `write and read it with ${example}, or ${OTHER_FILE}`
        : `change it with map(), or ${OTHER_FILE}`
    const what = isText ? `the text ${describe(value)}` : describe(value)
    const as =
      read === undefined
        ? ''
        : ` (a reader finds ${typeof read === 'string' ? `the text ${describe(read)}` : describe(read)})`
    return unfit({ path, column: name, row }, `${what}${as}`, remedy)
  }
}

/** Whether a value that is read is the one that was written. A missing label is null in a file and NaN in a dataset. */
function isSame(read: unknown, written: unknown): boolean {
  if (read === written || Object.is(read, written)) return true
  if (typeof written === 'bigint') return typeof read === 'number' && BigInt(read) === written
  return read === null && Number.isNaN(written)
}
