/** Reads a whole file of NumPy's format with rows of float32. */
import { misread } from '../corpus/readers/block.js'
import { openNpy } from '../corpus/readers/npy.js'
import { type Embeddings, embeddings } from '../models/embeddings.js'

/** @throws ERR_NOT_FOUND; ERR_INVALID_FILE unless it holds float32 in two dimensions, row by row */
export async function readNpyFile(path: string): Promise<Embeddings> {
  const file = await openNpy(path)
  try {
    const { rows, width, type } = file
    if (type !== 'float32') throw misread(path, "rows of float32 in NumPy's format", `rows of ${type}`)
    const data = new Float32Array(rows * width)
    await file.read(0, new Uint8Array(data.buffer))
    return embeddings(data, rows, width)
  } finally {
    await file.close()
  }
}
