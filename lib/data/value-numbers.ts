import type { Table } from './table.js'
import type { Pieces } from './time-slice.js'

/** Rows between two checks of the clock: about a millisecond of the slowest work here. */
export const CHUNK_ROWS = 1024
const MAPS = 32

/** Gives equal values the same number, in order of first appearance. Texts and other values never share one. */
export class ValueNumbers {
  /** How often each number was given. */
  readonly counts: number[] = []
  // One map for each length of text, because a single large map blocks for many milliseconds whenever it grows.
  private readonly known = Array.from({ length: MAPS }, () => new Map<string, number>())
  private readonly others = new Map<string, number>()

  numberOf(value: unknown): number {
    const isText = typeof value === 'string'
    const key = isText ? value : keyOf(value)
    const ids = isText ? this.known[key.length % MAPS]! : this.others
    let id = ids.get(key)
    if (id === undefined) {
      id = this.counts.length
      ids.set(key, id)
      this.counts.push(0)
    }
    this.counts[id]!++
    return id
  }
}

/** The numbers of all values in `columns`, [rows, columns]. Equal values have equal numbers, also in different columns. */
export function* numberValues(
  dataset: Pick<Table, 'length' | 'column'>,
  columns: readonly string[],
): Pieces<never, { ids: Int32Array; numbers: ValueNumbers }> {
  const numbers = new ValueNumbers()
  const ids = new Int32Array(dataset.length * columns.length)
  for (const [c, name] of columns.entries()) {
    const values = dataset.column(name)
    for (let row = 0; row < values.length; row++) {
      ids[row * columns.length + c] = numbers.numberOf(values[row])
      if (row % CHUNK_ROWS === 0) yield
    }
  }
  return { ids, numbers }
}

function keyOf(value: unknown): string {
  return typeof value === 'number' || typeof value === 'bigint' ? String(value) : jsonOf(value)
}

/** A text that is the same for equal values. */
export function jsonOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? 'undefined'
  } catch {
    // JSON cannot represent bigints.
    return JSON.stringify(value, (_, entry) => (typeof entry === 'bigint' ? { bigint: String(entry) } : entry))
  }
}
