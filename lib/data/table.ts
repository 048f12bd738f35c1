import type { ColumnKind, Value } from './columns.js'
import type { Plain } from './row-types.js'

/** The values of one column. */
export interface Column {
  values: readonly Value[]
  kind: ColumnKind
  /** Names of its class numbers, if the data say them. */
  classNames?: readonly string[] | undefined
}

/** What the functions behind the methods of a Dataset read of it. They know this instead of Dataset, which imports them. */
export interface Table<Row extends object = object> {
  readonly length: number
  readonly columnNames: readonly string[]
  readonly labelColumn: string | undefined
  column(name: string): readonly Value[]
  columnKind(name: string): ColumnKind
  classNames(column: string): readonly string[] | undefined
  row(index: number): Plain<Row>
}

/** What a function given to `map` may return. */
export type TransformedRow = Readonly<Record<string, unknown>>
