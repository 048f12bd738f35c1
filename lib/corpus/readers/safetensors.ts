import { damaged } from '../../io/damaged.js'
import { openSafetensors } from '../../io/safetensors.js'
import type { TensorFile } from '../../io/tensor-files.js'
import { SparseEmbeddings, type SparseEmbeddingsParts } from '../../models/sparse-embeddings.js'
import { TokenEmbeddings } from '../../models/token-embeddings.js'
import type { RowLayout } from '../rows.js'
import { arrayOf, BLOCK_BYTES, misread, numberBytes, type RowBlock } from './block.js'

/** The rows of a file, block by block. */
export async function* safetensorsBlocks(path: string, layout: RowLayout): AsyncGenerator<RowBlock> {
  const file = await openSafetensors(path)
  try {
    checkTensors(file, layout)
    if (layout.kind === 'dense') yield* denseBlocks(file, layout)
    else yield* rowBlocks(file, layout)
  } finally {
    await file.close()
  }
}

async function* denseBlocks(file: TensorFile, { width, precision }: RowLayout): AsyncGenerator<RowBlock> {
  const [rows] = file.tensors.get('embeddings')!.shape as [number]
  const rowBytes = width * numberBytes(precision)
  const step = Math.max(1, Math.floor(BLOCK_BYTES / rowBytes))
  for (let first = 0; first < rows; first += step) {
    const count = Math.min(step, rows - first)
    const bytes = await bytesAt(file, 'embeddings', first * rowBytes, count * rowBytes)
    yield { rows: { data: arrayOf(precision, bytes), shape: [count, width] } }
  }
}

/** Rows of different lengths: their ends are in memory. */
async function* rowBlocks(file: TensorFile, { kind, width }: RowLayout): AsyncGenerator<RowBlock> {
  const offsets = await offsetsOf(file, kind === 'sparse' ? 'values' : 'embeddings')
  const perEntry = kind === 'sparse' ? 4 : 4 * width
  const rows = offsets.length - 1
  for (let first = 0; first < rows; ) {
    const start = offsets[first]!
    let end = first + 1
    while (end < rows && (offsets[end + 1]! - start) * perEntry <= BLOCK_BYTES) end++
    const [at, length] = [start * perEntry, (offsets[end]! - start) * perEntry]
    const own = offsets.slice(first, end + 1).map((offset) => offset - start)
    if (kind === 'tokens') {
      const data = new Float32Array(await bytesAt(file, 'embeddings', at, length))
      yield { rows: new TokenEmbeddings(data, own, width) }
    } else {
      const indices = new Int32Array(await bytesAt(file, 'indices', at, length))
      const values = new Float32Array(await bytesAt(file, 'values', at, length))
      yield { rows: sparseRows(file.path, { indices, values, offsets: own, dimension: width }) }
    }
    first = end
  }
}

/** Places that do not rise are a fault of the file, and not of the caller. */
function sparseRows(path: string, parts: SparseEmbeddingsParts): SparseEmbeddings {
  try {
    return new SparseEmbeddings(parts)
  } catch (error) {
    throw damaged(path, (error as Error).message, error)
  }
}

async function bytesAt(file: TensorFile, name: string, start: number, length: number): Promise<ArrayBuffer> {
  const bytes = new Uint8Array(length)
  await file.readInto(name, start, bytes)
  return bytes.buffer
}

async function offsetsOf(file: TensorFile, entries: string): Promise<Int32Array> {
  const { byteLength } = file.tensors.get('offsets')!
  const offsets = new Int32Array(await bytesAt(file, 'offsets', 0, byteLength))
  const count = file.tensors.get(entries)!.shape[0]!
  const rises = offsets.every((offset, i) => offset >= (offsets[i - 1] ?? 0))
  if (offsets[0] !== 0 || offsets.at(-1) !== count || !rises)
    throw misread(file.path, `offsets that rise from 0 to ${count}`, 'others')
  return offsets
}

const TYPES = { float32: 'F32', int8: 'I8', binary: 'I8', uint8: 'U8', ubinary: 'U8' } as const

/** @throws ERR_INVALID_FILE unless the file has the tensors of its kind */
function checkTensors({ path, tensors }: TensorFile, { kind, precision, width }: RowLayout): void {
  const expect = (name: string, dtype: string, dimensions: number, last?: number) => {
    const found = tensors.get(name)
    const fits = found?.dtype === dtype && found.shape.length === dimensions
    if (fits && (last === undefined || found.shape.at(-1) === last)) return
    const what = `a tensor ${name} (${dtype}) of ${dimensions === 1 ? 'one dimension' : `rows of ${last}`}`
    throw misread(path, what, found ? `${found.dtype} [${found.shape}]` : 'none')
  }
  if (kind !== 'sparse') expect('embeddings', TYPES[precision], 2, width)
  else {
    expect('indices', 'I32', 1)
    expect('values', 'F32', 1, tensors.get('indices')!.shape[0]!)
  }
  if (kind !== 'dense') expect('offsets', 'I32', 1)
}
