/** Types of the rows of a dataset. Nothing checks them at run time: a row is what the data hold. */
import type { Value } from './columns.js'

/** A row of whatever columns. */
export type DatasetRow = Record<string, Value>

/** `Row` with its keys written out, so that rows that are interfaces fit where a row of whatever columns does. */
export type Plain<Row> = { [Name in keyof Row]: Row[Name] }

type LabelName = 'label' | 'labels' | 'score' | 'scores'

/** `Row` as a dataset keeps it: a label that is not there, null, is NaN. */
export type StoredRow<Row> = {
  -readonly [Name in keyof Row]: Name extends LabelName
    ? null extends Row[Name]
      ? Exclude<Row[Name], null> | number
      : Row[Name]
    : Row[Name]
}

/** `Changed`; for rows whose columns are unknown, a row whose columns are unknown. */
type Of<Row, Changed> = string extends keyof Row ? DatasetRow : Changed

/** The columns `Name` of `Row`. */
export type SelectedRow<Row, Name> = Of<Row, Pick<Row, Name & keyof Row>>

/** `Row` without the columns `Name`. */
export type RestRow<Row, Name extends string> = Of<Row, Omit<Row, Name>>

/** `Row` with `Changes` put over it and without the columns `Removed`. */
export type MappedRow<Row, Changes, Removed extends string> = Of<
  Row,
  StoredRow<Omit<Row, keyof Changes | Removed> & Changes>
>

/** `Row` under other names. */
export type RenamedRow<Row, Names> = Of<
  Row,
  { [Name in keyof Row as Name extends keyof Names ? Names[Name] & string : Name]: Row[Name] }
>
