import { invalidArgument } from '../errors.js'
import { listOfNames } from '../options.js'
import { ColumnsBuilder, labelColumnOf } from './columns.js'
import type { Column } from './table.js'

/** Which columns (a name or several), in this order. */
export interface ColumnChoice {
  columns?: string | readonly string[] | undefined
}

export function columnsOf({ columns }: ColumnChoice): readonly string[] | undefined {
  return columns === undefined ? undefined : listOfNames('columns', columns)
}

/**
 * Some columns, in that order, under other names.
 * @param pairs old and new name
 * @param columnOf the column of that name
 */
export function chooseColumns(
  pairs: readonly (readonly [string, string])[],
  columnOf: (name: string) => Column,
): Map<string, Column> {
  const label = labelColumnOf(pairs.map(([, name]) => name))
  const columns = new Map<string, Column>()
  for (const [old, name] of pairs) {
    const column = columnOf(old)
    if (columns.has(name)) throw invalidArgument('names', 'every column once', name)
    // A column that becomes, or no longer is, the label column is checked again.
    columns.set(name, (column.kind === 'label') === (name === label) ? column : recheck(name, label, column))
  }
  return columns
}

function recheck(name: string, label: string | undefined, column: Column): Column {
  const builder = new ColumnsBuilder(label === undefined || label === name ? [name] : [name, label], '')
  const [checker] = builder.checkers
  const values = column.values.map((value, row) => checker!.check(value, row))
  return { ...column, values, kind: checker!.finalKind }
}
