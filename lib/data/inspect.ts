/** The output of console.log for data. */
import type { InspectOptionsStylized, inspect } from 'node:util'
import type { ColumnKind } from './columns.js'
import type { Table } from './table.js'

/** The name of the method that Node's `util.inspect` calls. */
export const INSPECT: unique symbol = Symbol.for('nodejs.util.inspect.custom') as never

export type Inspect = typeof inspect

const ROWS = 3
const CHARACTERS = 80
const ENTRIES = 5
const CLASSES = 10

const kinds: Record<ColumnKind, string> = { text: 'text', texts: 'list of texts', label: 'label', other: 'other' }

/** The columns, their types, and the first rows. */
export function inspectDataset(dataset: Table, depth: number, options: InspectOptionsStylized, show: Inspect): string {
  const { length, columnNames } = dataset
  const size = `${length} ${length === 1 ? 'row' : 'rows'}`
  if (depth < 0) return options.stylize(`[Dataset: ${size}]`, 'special')
  const width = columnNames.reduce((most, name) => Math.max(most, name.length), 0)
  const lines = columnNames.map((name) => `  ${name.padEnd(width)}  ${kindOf(dataset, name)}`)
  const inner = { ...options, breakLength: Number.POSITIVE_INFINITY, depth: 2, maxArrayLength: ENTRIES }
  for (let row = 0; row < Math.min(ROWS, length); row++) {
    const values = columnNames.map((name) => `${name}: ${show(shortened(dataset.column(name)[row]), inner)}`)
    lines.push(`  [${row}] ${values.join(', ')}`)
  }
  if (length > ROWS) lines.push(`  … ${length - ROWS} more`)
  return [`Dataset: ${size}`, ...lines].join('\n')
}

function kindOf(dataset: Table, name: string): string {
  const kind = kinds[dataset.columnKind(name)]
  const classes = dataset.classNames(name)
  if (classes === undefined) return kind
  const shown = classes.slice(0, CLASSES).map((text, number) => `${number} ${text}`)
  const more = classes.length > CLASSES ? `, … ${classes.length - CLASSES} more` : ''
  return `${kind} (${shown.join(', ')}${more})`
}

function shortened(value: unknown): unknown {
  if (typeof value === 'string') return value.length > CHARACTERS ? `${value.slice(0, CHARACTERS - 1)}…` : value
  return Array.isArray(value) ? value.map((entry, i) => (i < ENTRIES ? shortened(entry) : entry)) : value
}

/** What is known without reading the stream. */
export function inspectStream(
  stream: { readonly length: number | undefined; readonly shuffleBuffer: number },
  depth: number,
  options: InspectOptionsStylized,
): string {
  const { length, shuffleBuffer } = stream
  const size = length === undefined ? 'rows, nobody knows how many' : `${length} rows`
  if (depth < 0) return options.stylize(`[DataStream: ${size}]`, 'special')
  const order = shuffleBuffer === 1 ? 'in their order' : `shuffled among ${shuffleBuffer}`
  return `DataStream: ${size}, ${order}\n  read when they are needed; await stream.head(n) gives the first`
}
