import type { ColumnKind, Value } from './columns.js'
import type { Plain } from './row-types.js'

/** The values of one column. */
export interface Column {
  values: readonly Value[]
  kind: ColumnKind
  /** Names of its class numbers, if the data have them. */
  classNames?: readonly string[] | undefined
}

/**
 * The parts of a Dataset that the functions behind its methods use. They depend on this type and not on Dataset, which
 * imports them.
 */
export interface Table<Row extends object = object> {
  readonly length: number
  readonly columnNames: readonly string[]
  readonly labelColumn: string | undefined
  column(name: string): readonly Value[]
  columnKind(name: string): ColumnKind
  classNames(column: string): readonly string[] | undefined
  row(index: number): Plain<Row>
}

/** Return type of a function for `map`. */
export type TransformedRow = Readonly<Record<string, unknown>>
