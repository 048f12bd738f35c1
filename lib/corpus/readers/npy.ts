/** Reads NumPy's format: rows of float32 or of bytes, some at a time. */
import type { FileHandle } from 'node:fs/promises'
import { openFile } from '../../io/open-file.js'
import { systemError } from '../../io/system-error.js'
import type { RowLayout } from '../rows.js'
import { arrayOf, BLOCK_BYTES, misread, numberBytes, type RowBlock } from './block.js'

/** Bytes per system call. */
const PIECE = 2 ** 24

const KINDS = { '<f4': ['float32', 4], '|i1': ['int8', 1], '|u1': ['uint8', 1] } as const

/** An open file. */
export interface NpyFile {
  rows: number
  width: number
  /** Of its numbers: float32, int8 or uint8. */
  type: 'float32' | 'int8' | 'uint8'
  /** Fills `target` with the bytes from row `first` on. */
  read(first: number, target: Uint8Array): Promise<void>
  close(): Promise<void>
}

/** @throws ERR_NOT_FOUND; ERR_INVALID_FILE unless it holds float32, int8 or uint8 in two dimensions, row by row */
export async function openNpy(path: string): Promise<NpyFile> {
  const file = await openFile(path)
  try {
    return await opened(file, path)
  } catch (error) {
    await file.close()
    throw systemError(error, `read ${path}`)
  }
}

async function opened(file: FileHandle, path: string): Promise<NpyFile> {
  const wrong = (found: string) => misread(path, "rows in NumPy's format", found)
  const { size } = await file.stat()
  const read = async (target: Uint8Array, at: number) => {
    for (let done = 0; done < target.length; ) {
      const length = Math.min(PIECE, target.length - done)
      const { bytesRead } = await file.read(target, done, length, at + done)
      if (bytesRead === 0) throw wrong('the end of the file')
      done += bytesRead
    }
  }
  const start = Buffer.alloc(10)
  if (size < start.length) throw wrong(`${size} bytes`)
  await read(start, 0)
  if (start.toString('latin1', 0, 8) !== '\x93NUMPY\x01\x00') throw wrong('another format or version')
  const header = Buffer.alloc(start.readUInt16LE(8))
  await read(header, start.length)
  const text = header.toString('latin1')
  const shape = /'shape': \((\d+), (\d+)\)/.exec(text)
  const [, descr = ''] = /'descr': '([^']*)'/.exec(text) ?? []
  const kind = Object.hasOwn(KINDS, descr) ? KINDS[descr as keyof typeof KINDS] : undefined
  if (!kind || !text.includes("'fortran_order': False") || !shape) throw wrong(text.trim().slice(0, 100))
  const [rows, width, begin] = [Number(shape[1]), Number(shape[2]), start.length + header.length]
  const [type, bytes] = kind
  if (rows * width * bytes !== size - begin) throw wrong(`${size - begin} bytes for ${rows} × ${width} values`)
  return {
    ...{ rows, width, type },
    read: (first, target) => read(target, begin + first * width * bytes),
    close: () => file.close(),
  }
}

/** The rows of a file, block by block. */
export async function* npyBlocks(path: string, { width, precision }: RowLayout): AsyncGenerator<RowBlock> {
  const file = await openNpy(path)
  try {
    const rowBytes = width * numberBytes(precision)
    if (file.width !== width || numberBytes(file.type) !== numberBytes(precision))
      throw misread(path, `rows of ${width} numbers (${precision})`, `rows of ${file.width} (${file.type})`)
    const step = Math.max(1, Math.floor(BLOCK_BYTES / rowBytes))
    for (let first = 0; first < file.rows; first += step) {
      const count = Math.min(step, file.rows - first)
      const bytes = new Uint8Array(count * rowBytes)
      await file.read(first, bytes)
      yield { rows: { data: arrayOf(precision, bytes.buffer), shape: [count, width] } }
    }
  } finally {
    await file.close()
  }
}
