/** Several models side by side: a row for each, a column for each primary metric. */
import type { FigureOf } from '../report/figures.js'
import { MEASURED, type Measured } from './metrics.js'

export interface MeasuredTable {
  title: string
  caption?: string
  /** What the rows are: the head of their names. */
  rows: string
  measured: ReadonlyMap<string, Measured>
  /** Further columns, between the names and the metrics: by the names of the rows. */
  columns?: readonly { name: string; of: (row: string) => string | number | null }[]
}

export function measuredTable({ title, caption, rows, measured, columns = [] }: MeasuredTable): FigureOf<'table'> {
  const roles = MEASURED.filter((role) => [...measured.values()].some((results) => results[role] !== undefined))
  const heads = roles.map((role) => [...measured.values()].find((results) => results[role])![role]!.primaryMetric)
  const cells = [...measured].map(([row, results]) => [
    row,
    ...columns.map(({ of }) => of(row)),
    ...roles.map((role) => finite(results[role]?.metrics[results[role]!.primaryMetric])),
  ])
  const head = [rows, ...columns.map(({ name }) => name), ...heads]
  return { kind: 'table', title, ...(caption !== undefined && { caption }), columns: head, rows: cells }
}

function finite(value: number | undefined): number | null {
  return value !== undefined && Number.isFinite(value) ? value : null
}
