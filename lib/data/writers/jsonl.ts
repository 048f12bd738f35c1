import { describe } from '../../errors.js'
import { MAX_DEPTH } from '../../io/schema.js'
import { isPlainObject } from '../../options.js'
import type { Table } from '../table.js'
import { numberText } from './number-text.js'
import { type Spot, unfit } from './unfit.js'

const REMEDY = 'change it with map()'

/** JSON Lines: one object for each row, with its keys in the order of the columns. A missing label is null. */
export function* jsonLines(dataset: Table, path: string): Generator<string, void, undefined> {
  const { columnNames: names, labelColumn, length } = dataset
  const columns = names.map((name) => dataset.column(name))
  const keys = names.map((name) => `${JSON.stringify(name)}:`)
  for (let row = 0; row < length; row++) {
    const members = columns.map((values, i) => {
      const value: unknown = values[row]
      const isMissing = names[i] === labelColumn && Number.isNaN(value)
      return keys[i]! + (isMissing ? 'null' : jsonText(value, { path, column: names[i]!, row }))
    })
    yield `{${members.join(',')}}\n`
  }
}

function jsonText(value: unknown, spot: Spot, depth: number = MAX_DEPTH): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw unfit(spot, String(value), REMEDY)
    return numberText(value)
  }
  if (typeof value === 'bigint' || typeof value === 'boolean' || value === null) return String(value)
  if (depth === 1) throw unfit(spot, `lists or objects within each other, more than ${MAX_DEPTH}`, REMEDY)
  if (Array.isArray(value)) return `[${value.map((entry) => jsonText(entry, spot, depth - 1)).join(',')}]`
  if (!isPlainObject(value)) throw unfit(spot, value instanceof Date ? 'a date' : describe(value), REMEDY)
  const members = Object.entries(value).map(
    ([key, entry]) => `${JSON.stringify(key)}:${jsonText(entry, spot, depth - 1)}`,
  )
  return `{${members.join(',')}}`
}
