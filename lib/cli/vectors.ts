/** Writes embeddings row by row, in the formats of the command `encode`. Memory does not grow with the rows. */
import type { FileHandle } from 'node:fs/promises'
import { ParquetThread } from '../data/writers/parquet.js'
import type { Embeddings } from '../models/embeddings.js'

export const VECTOR_FORMATS = ['npy', 'jsonl', 'parquet', 'f32'] as const
export type VectorFormat = (typeof VECTOR_FORMATS)[number]

/** Where bytes go: a file, or stdout. */
export interface Sink {
  write(bytes: Uint8Array | string): Promise<void>
  /** Overwrites bytes from the start of the file; stdout has none. */
  patch?(bytes: Uint8Array): Promise<void>
}

export interface VectorWriter {
  add(embeddings: Embeddings, texts: readonly string[]): Promise<void>
  /** @param width of a row where there was none */
  end(width: number): Promise<void>
  close(): Promise<void>
}

/** A sink of a file. */
export function fileSink(file: FileHandle): Sink {
  return {
    write: (bytes) => file.writeFile(bytes),
    async patch(bytes) {
      for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at, bytes.length - at, at)).bytesWritten
    },
  }
}

/**
 * @param withTexts whether `jsonl` and `parquet` hold the texts, too
 * @param path for messages
 */
export function vectorWriter(format: VectorFormat, sink: Sink, withTexts: boolean, path: string): VectorWriter {
  switch (format) {
    case 'npy':
      return new NpyWriter(sink)
    case 'parquet':
      return new ParquetRows(sink, withTexts, path)
    case 'jsonl':
      return new JsonRows(sink, withTexts)
    default:
      return { add: ({ data }) => sink.write(bytesOf(data)), end: async () => {}, close: async () => {} }
  }
}

function bytesOf(data: Float32Array): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
}

/** Bytes of the header, which has room for any number of rows and is written again at the end. */
const NPY_HEADER = 128

class NpyWriter implements VectorWriter {
  #rows = 0
  #width: number | undefined

  constructor(private readonly sink: Sink) {}

  async add({ data, shape }: Embeddings): Promise<void> {
    if (this.#width === undefined) await this.sink.write(npyHeader(0, shape[1]))
    this.#width = shape[1]
    this.#rows += shape[0]
    await this.sink.write(bytesOf(data))
  }

  async end(width: number): Promise<void> {
    if (this.#width === undefined) await this.sink.write(npyHeader(0, width))
    else await this.sink.patch!(npyHeader(this.#rows, this.#width))
  }

  async close(): Promise<void> {}
}

/** NumPy's format, version 1.0: little-endian, row by row. */
export function npyHeader(rows: number, width: number, type: '<f4' | '|i1' | '|u1' = '<f4'): Uint8Array {
  const header = Buffer.alloc(NPY_HEADER, ' ')
  header.write('\x93NUMPY\x01\x00', 'latin1')
  header.writeUInt16LE(NPY_HEADER - 10, 8)
  header.write(`{'descr': '${type}', 'fortran_order': False, 'shape': (${rows}, ${width}), }`, 10, 'latin1')
  header.write('\n', NPY_HEADER - 1, 'latin1')
  return header
}

class JsonRows implements VectorWriter {
  constructor(
    private readonly sink: Sink,
    private readonly withTexts: boolean,
  ) {}

  async add(embeddings: Embeddings, texts: readonly string[]): Promise<void> {
    const lines = texts.map((text, i) => {
      // Nine digits give every float32 back.
      const embedding = Array.from(embeddings.row(i), (value) => Number(value.toPrecision(9)))
      return `${JSON.stringify(this.withTexts ? { text, embedding } : { embedding })}\n`
    })
    await this.sink.write(lines.join(''))
  }

  async end(): Promise<void> {}
  async close(): Promise<void> {}
}

/** Rows of a message to the thread. */
const PIECE_ROWS = 1024

/** A list of float32 in a column `embedding`, which a thread encodes. */
class ParquetRows implements VectorWriter {
  readonly #thread: ParquetThread

  constructor(
    private readonly sink: Sink,
    private readonly withTexts: boolean,
    path: string,
  ) {
    const optional = { repetition_type: 'OPTIONAL' } as const
    const schema = [
      { name: 'schema', num_children: withTexts ? 2 : 1 },
      ...(withTexts ? [{ name: 'text', ...optional, type: 'BYTE_ARRAY', converted_type: 'UTF8' } as const] : []),
      { name: 'embedding', ...optional, converted_type: 'LIST', num_children: 1 } as const,
      { name: 'list', repetition_type: 'REPEATED', num_children: 1 } as const,
      { name: 'element', ...optional, type: 'FLOAT' } as const,
    ]
    this.#thread = new ParquetThread({ schema, metadata: [] }, path)
  }

  async add(embeddings: Embeddings, texts: readonly string[]): Promise<void> {
    for (let start = 0; start < texts.length; start += PIECE_ROWS) {
      const piece = texts.slice(start, start + PIECE_ROWS)
      const rows = piece.map((_, i) => Array.from(embeddings.row(start + i)))
      await this.sink.write(await this.#thread.add(this.withTexts ? [piece, rows] : [rows]))
    }
  }

  async end(): Promise<void> {
    await this.sink.write(await this.#thread.end())
  }

  close(): Promise<void> {
    return this.#thread.close()
  }
}
