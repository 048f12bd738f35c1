import { createHash } from 'node:crypto'
import type { Dataset } from './dataset.js'
import { TimeSlice } from './time-slice.js'

const PIECE_CHARACTERS = 1 << 16

/**
 * SHA-256 (hex) of the names of the columns and of all values, row by row: the same content gives the same one, wherever it came from. It does
 * not block the event loop.
 */
export async function datasetSha256(dataset: Dataset): Promise<string> {
  const hash = createHash('sha256').update(`${JSON.stringify(dataset.columnNames)}\n`)
  const columns = dataset.columnNames.map((name) => dataset.column(name))
  const slice = new TimeSlice()
  let piece = ''
  for (let row = 0; row < dataset.length; row++) {
    piece += `${JSON.stringify(columns.map((values) => values[row]!))}\n`
    if (piece.length < PIECE_CHARACTERS) continue
    hash.update(piece)
    piece = ''
    await slice.yield()
  }
  return hash.update(piece).digest('hex')
}
