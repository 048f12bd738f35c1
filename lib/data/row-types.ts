/** Types of the rows of a dataset. They are not checked at run time. */
import type { Value } from './columns.js'

/** A row of any columns. */
export type DatasetRow = Record<string, Value>

/** `Row` with its keys written out, so that rows with an interface type fit where a row of any columns is expected. */
export type Plain<Row> = { [Name in keyof Row]: Row[Name] }

type LabelName = 'label' | 'labels' | 'score' | 'scores'

/** `Row` as a dataset stores it: a missing label, null, becomes NaN. */
export type StoredRow<Row> = {
  -readonly [Name in keyof Row]: Name extends LabelName
    ? null extends Row[Name]
      ? Exclude<Row[Name], null> | number
      : Row[Name]
    : Row[Name]
}

/** `Changed`, or a row of unknown columns where the columns of the old row are unknown. */
type Of<Row, Changed> = string extends keyof Row ? DatasetRow : Changed

/** The columns `Name` of `Row`. */
export type SelectedRow<Row, Name> = Of<Row, Pick<Row, Name & keyof Row>>

/** `Row` without the columns `Name`. */
export type RestRow<Row, Name extends string> = Of<Row, Omit<Row, Name>>

/** `Row`, with `Changes` applied and without the columns `Removed`. */
export type MappedRow<Row, Changes, Removed extends string> = Of<
  Row,
  StoredRow<Omit<Row, keyof Changes | Removed> & Changes>
>

/** `Row` under other names. */
export type RenamedRow<Row, Names> = Of<
  Row,
  { [Name in keyof Row as Name extends keyof Names ? Names[Name] & string : Name]: Row[Name] }
>
