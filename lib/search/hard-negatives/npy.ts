import type { FileHandle } from 'node:fs/promises'
import { SentenceTorchError } from '../../errors.js'
import { writeFileAtomic } from '../../io/atomic.js'
import { openFile } from '../../io/open-file.js'
import { systemError } from '../../io/system-error.js'
import { type Embeddings, embeddings } from '../../models/embeddings.js'

/** Bytes that are read or written at once. */
const PIECE = 2 ** 24

/** Writes rows as a NumPy file, version 1.0: float32, little-endian, row by row. The file appears when it is complete. */
export async function writeNpy(path: string, { data, shape }: Embeddings): Promise<void> {
  const description = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape[0]}, ${shape[1]}), }`
  const length = Math.ceil((description.length + 11) / 64) * 64 - 10
  const header = Buffer.alloc(10 + length, ' ')
  header.write('\x93NUMPY\x01\x00', 'latin1')
  header.writeUInt16LE(length, 8)
  header.write(description, 10, 'latin1')
  header.write('\n', header.length - 1, 'latin1')
  await writeFileAtomic(path, async (file) => {
    let at = 0
    for (const part of [header, ...pieces(data)]) {
      await wholly(part.length, async (start) => {
        return (await file.write(part, start, part.length - start, at + start)).bytesWritten
      })
      at += part.length
    }
  })
}

/**
 * Reads a file of `writeNpy` or NumPy; undefined without a file.
 * @throws SentenceTorchError ERR_INVALID_FILE unless it holds float32 of `rows` × `width`
 */
export async function readNpy(path: string, rows: number, width: number): Promise<Embeddings | undefined> {
  let file: FileHandle
  try {
    file = await openFile(path)
  } catch (error) {
    if (error instanceof SentenceTorchError && error.code === 'ERR_NOT_FOUND') return undefined
    throw error
  }
  try {
    const start = Buffer.alloc(10)
    await fill(file, path, start, 0)
    if (start.toString('latin1', 0, 8) !== '\x93NUMPY\x01\x00') throw damaged(path, 'no NumPy file of version 1.0')
    const header = Buffer.alloc(start.readUInt16LE(8))
    await fill(file, path, header, 10)
    const text = header.toString('latin1')
    const shape = /'shape': \((\d+), (\d+)\)/.exec(text)
    if (!text.includes("'descr': '<f4'") || !text.includes("'fortran_order': False") || !shape) {
      throw damaged(path, `not float32 by rows: ${text.trim().slice(0, 100)}`)
    }
    if (Number(shape[1]) !== rows || Number(shape[2]) !== width) {
      throw damaged(path, `${shape[1]} × ${shape[2]} values instead of ${rows} × ${width}`)
    }
    const data = new Float32Array(rows * width)
    let at = 10 + header.length
    for (const part of pieces(data)) {
      await fill(file, path, part, at)
      at += part.length
    }
    return embeddings(data, rows, width)
  } catch (error) {
    throw systemError(error, `read ${path}`)
  } finally {
    await file.close()
  }
}

function pieces(data: Float32Array): Uint8Array[] {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  return Array.from({ length: Math.ceil(bytes.length / PIECE) }, (_, i) => bytes.subarray(i * PIECE, (i + 1) * PIECE))
}

async function fill(file: FileHandle, path: string, part: Uint8Array, position: number): Promise<void> {
  await wholly(part.length, async (start) => {
    const { bytesRead } = await file.read(part, start, part.length - start, position + start)
    if (bytesRead === 0) throw damaged(path, 'it ends too early')
    return bytesRead
  })
}

/** Repeats a call until all bytes are moved: a single call may move fewer. */
async function wholly(length: number, move: (start: number) => Promise<number>): Promise<void> {
  for (let start = 0; start < length; ) start += await move(start)
}

function damaged(path: string, what: string): SentenceTorchError {
  return new SentenceTorchError('ERR_INVALID_FILE', `${path} holds no embeddings of this cache: ${what}; delete it`)
}
