import { describe, SentenceTorchError } from '../errors.js'
import { MAX_DEPTH } from '../io/schema.js'
import { checkColumnNames, listed } from './readers/names.js'
import { labelNames } from './readers/table.js'

/**
 * A label: a class number, a score, a list of them, or lists of lists (an embedding for every text). The lists of a column
 * may differ in length. NaN stands for a missing label.
 */
export type Label = number | readonly Label[]

/** A label in an array of its own is unwrapped: [[1], [0]] are the labels 1 and 0. */
export function singleLabel(label: unknown): unknown {
  return Array.isArray(label) && label.length === 1 ? label[0] : label
}

/**
 * Values of a column: texts, lists of texts, labels, and any other JSON value. An integer of a file that a number cannot
 * hold exactly (beyond 2^53) is a bigint.
 */
export type Value = string | readonly string[] | Label | bigint | boolean | null | object

/** The type of a column's values. `other`: not texts, lists of texts or labels. */
export type ColumnKind = 'text' | 'texts' | 'label' | 'other'

/** Names that sentence-transformers puts into a batch itself. */
const reserved = ['return_loss', 'dataset_name']

/** The label column among `names`: the first of `label`, `labels`, `score`, `scores` that is there. */
export function labelColumnOf(names: readonly string[]): string | undefined {
  return labelNames.find((name) => names.includes(name))
}

/** Checks the values of one column one after another. All must have the type of the first. */
export class ColumnChecker {
  kind: ColumnKind | undefined
  /** Whether labels are lists; undefined before the first. */
  private listLabels: boolean | undefined
  /** The first row with null, until another row shows the column's type. */
  private nullRow: number | undefined

  /**
   * @param label the table's label column
   * @param where "" or " of file.csv", for errors
   * @param placeOf what errors call a row. Default: `row 5 of file.csv`
   */
  constructor(
    readonly name: string,
    private readonly label: string | undefined,
    where: string,
    private readonly placeOf = (row: number) => `row ${row}${where}`,
  ) {
    if (reserved.includes(name)) {
      throw new SentenceTorchError('ERR_INVALID_DATA', `The column name "${name}"${where} is reserved; rename it`)
    }
    if (name === label) this.kind = 'label'
  }

  /** The kind, once all values are checked. */
  get finalKind(): ColumnKind {
    return this.kind ?? (this.nullRow === undefined ? 'texts' : 'other')
  }

  /** The stored value: missing labels (null, "-") become NaN. */
  check(value: unknown, row: number): Value {
    if (typeof value === 'string' && this.kind === 'text') return value
    if (this.kind === 'label') return this.checkLabel(value, row)
    if (this.kind === undefined) this.begin(value, row)
    switch (this.kind) {
      case 'text':
        if (typeof value !== 'string') throw this.misfit('a text', value, row)
        return value
      case 'texts':
        if (!Array.isArray(value)) throw this.misfit('a list of texts', value, row)
        for (const entry of value)
          if (typeof entry !== 'string') throw this.misfit('only texts in the list', entry, row)
        return value as readonly string[]
      case 'other':
        if (value === undefined || typeof value === 'string')
          throw this.misfit('no text, as in the rows before', value, row)
        return value as Value
      default:
        // An empty list shows no type.
        return value as Value
    }
  }

  /** Takes the type from the first value that shows it. */
  private begin(value: unknown, row: number): void {
    if (value === undefined) throw this.misfit('a text', value, row)
    if (value === null) this.nullRow ??= row
    else if (typeof value === 'string') this.kind = 'text'
    else if (!Array.isArray(value)) this.kind = 'other'
    else if (value.length > 0) this.kind = typeof value[0] === 'string' ? 'texts' : 'other'
    if (this.nullRow === undefined) return
    if (this.kind === 'text') throw this.misfit('a text', null, this.nullRow)
    if (this.kind === 'texts') throw this.misfit('a list of texts', null, this.nullRow)
  }

  private checkLabel(value: unknown, row: number): Label {
    if (typeof value === 'number' && this.listLabels !== true && Number.isFinite(value)) {
      this.listLabels = false
      return value
    }
    if (value === null || value === '-') return Number.NaN
    if (Array.isArray(value) && this.listLabels !== false) {
      this.listLabels = true
      this.checkNumbers(value, row, MAX_DEPTH - 1)
      return value as readonly Label[]
    }
    const kinds = { true: 'a list of finite numbers', false: 'a finite number' }
    const expected = this.listLabels ? kinds.true : kinds.false
    throw this.misfit(typeof value === 'bigint' ? `${expected} of at most 2^53` : expected, value, row)
  }

  private checkNumbers(list: readonly unknown[], row: number, depth: number): void {
    if (depth === 0) throw this.misfit(`at most ${MAX_DEPTH} lists within each other`, list, row)
    for (const entry of list) {
      if (Array.isArray(entry)) this.checkNumbers(entry, row, depth - 1)
      else if (typeof entry !== 'number' || !Number.isFinite(entry)) {
        throw this.misfit('only finite numbers in the list', entry, row)
      }
    }
  }

  private misfit(expected: string, value: unknown, row: number): SentenceTorchError {
    const { name, label } = this
    const isLabel = name === label
    const labelHint = label === undefined || isLabel ? '' : ` (labels are taken from "${label}")`
    const hint = isLabel ? '' : `${labelHint}; leave the column out ({ columns: […] }) or mend the row`
    return new SentenceTorchError(
      'ERR_INVALID_DATA',
      `Expected ${expected} in column "${listed([name])}", ${this.placeOf(row)}, found ${describe(value)}${hint}`,
    )
  }
}

/** V8 ends the process for slightly larger arrays. */
const MAX_ROWS = 100_000_000

/** Collects the rows of a table piece by piece, and checks them. */
export class ColumnsBuilder {
  readonly checkers: readonly ColumnChecker[]
  readonly columns: Value[][]
  length = 0

  constructor(
    readonly names: readonly string[],
    private readonly where: string,
  ) {
    const label = labelColumnOf(names)
    checkColumnNames(names, where)
    this.checkers = names.map((name) => new ColumnChecker(name, label, where))
    this.columns = names.map(() => [])
  }

  /** Adds rows, `columns` in the order of `names`. */
  add(columns: readonly (readonly unknown[])[]): void {
    const rows = columns[0]?.length ?? 0
    if (this.length + rows > MAX_ROWS) {
      const message = `Expected at most ${MAX_ROWS} rows${this.where} in memory, found more: read them with DataStream.fromFile`
      throw new SentenceTorchError('ERR_INVALID_DATA', message)
    }
    columns.forEach((values, i) => {
      if (values.length !== rows) {
        const message = `Expected ${rows} rows in column "${this.names[i]}"${this.where}, as in "${this.names[0]}", found ${values.length}`
        throw new SentenceTorchError('ERR_INVALID_DATA', message)
      }
      const checker = this.checkers[i]!
      const kept = this.columns[i]!
      for (let row = 0; row < rows; row++) kept.push(checker.check(values[row], this.length + row))
    })
    this.length += rows
  }
}
