import type { Random } from './random.js'
import type { Pieces } from './time-slice.js'

/** Limit of rows that are shuffled at once: about a millisecond of work. */
const CHUNK_ROWS = 16_384

/** `random.permutation(rows)`, in pieces. */
export function* shuffledRows(rows: number, random: Random): Pieces<never, Int32Array> {
  const order = new Int32Array(rows)
  for (let row = 0; row < rows; row++) order[row] = row
  for (let end = rows; end > 1; end -= CHUNK_ROWS) {
    random.shuffle(order, end, Math.max(1, end - CHUNK_ROWS))
    yield
  }
  return order
}
