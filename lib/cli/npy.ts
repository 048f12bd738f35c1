/** Reads a whole file of NumPy's format with rows of float32. */
import { SentenceTorchError } from '../errors.js'
import { openFile } from '../io/open-file.js'
import { systemError } from '../io/system-error.js'
import { type Embeddings, embeddings } from '../models/embeddings.js'

/** Bytes that are read at once. */
const PIECE = 2 ** 24

/** @throws ERR_NOT_FOUND; ERR_INVALID_FILE unless it holds float32 in two dimensions, row by row */
export async function readNpyFile(path: string): Promise<Embeddings> {
  const file = await openFile(path)
  const wrong = (found: string) =>
    new SentenceTorchError('ERR_INVALID_FILE', `Expected rows of float32 in NumPy's format in ${path}, found ${found}`)
  try {
    const { size } = await file.stat()
    const read = async (bytes: Uint8Array, at: number) => {
      for (let done = 0; done < bytes.length; ) {
        const length = Math.min(PIECE, bytes.length - done)
        const { bytesRead } = await file.read(bytes, done, length, at + done)
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
    if (!text.includes("'descr': '<f4'") || !text.includes("'fortran_order': False") || !shape) {
      throw wrong(text.trim().slice(0, 100))
    }
    const [rows, width] = [Number(shape[1]), Number(shape[2])]
    const bytes = size - start.length - header.length
    if (rows * width * 4 !== bytes) throw wrong(`${bytes} bytes for ${rows} × ${width} values`)
    const data = new Float32Array(rows * width)
    await read(new Uint8Array(data.buffer), start.length + header.length)
    return embeddings(data, rows, width)
  } catch (error) {
    throw systemError(error, `read ${path}`)
  } finally {
    await file.close()
  }
}
