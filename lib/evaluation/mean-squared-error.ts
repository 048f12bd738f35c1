import { TimeSlice } from '../data/time-slice.js'
import { SparseEmbeddings } from '../models/sparse-embeddings.js'
import { invalidData } from './common.js'
import { countRows, type DenseRows, type Rows, sliceRows } from './pair-similarities.js'

/** Values compared at once: about a millisecond. */
const CHUNK = 1 << 18

/** The mean of (a − b)² over all values. Differences are in float32, as in Python, and the sum is in double precision. */
export async function meanSquaredError(a: Rows, b: Rows): Promise<number> {
  if (String(shapeOf(a)) !== String(shapeOf(b))) {
    throw invalidData(`Expected embeddings of the teacher's shape [${shapeOf(a)}] but the model gave [${shapeOf(b)}]`)
  }
  const [rows, width] = shapeOf(a)
  // Sparse rows become dense ones, a few at a time.
  const step = Math.max(1, Math.floor(CHUNK / width))
  const slice = new TimeSlice()
  let sum = 0
  for (let first = 0; first < rows; first += step) {
    const size = Math.min(step, rows - first)
    const [x, y] = [a, b].map((side) => dense(sliceRows(side, first, size)).data)
    for (let i = 0; i < x!.length; i++) {
      const difference = Math.fround(x![i]! - y![i]!)
      sum += difference * difference
    }
    await slice.yield()
  }
  return sum / (rows * width)
}

function shapeOf(rows: Rows): [number, number] {
  return 'shape' in rows ? rows.shape : [countRows(rows), rows.dimension]
}

function dense(rows: Rows): DenseRows {
  return rows instanceof SparseEmbeddings ? rows.toDense() : (rows as DenseRows)
}
