import type { Precision } from '../../search/quantize.js'
import { bytesOf, type DenseRows, type EncodedRows, type RowLayout } from '../rows.js'
import type { RowWriter, Sink } from './writer.js'

/** Bytes of the header, which has room for any number of rows and is written again at the end. */
const NPY_HEADER = 128

const TYPES = { float32: '<f4', int8: '|i1', binary: '|i1', uint8: '|u1', ubinary: '|u1' } as const

/** NumPy's format, version 1.0: little-endian, row by row. */
export function npyHeader(rows: number, width: number, precision: Precision = 'float32'): Uint8Array {
  const header = Buffer.alloc(NPY_HEADER, ' ')
  header.write('\x93NUMPY\x01\x00', 'latin1')
  header.writeUInt16LE(NPY_HEADER - 10, 8)
  header.write(`{'descr': '${TYPES[precision]}', 'fortran_order': False, 'shape': (${rows}, ${width}), }`, 10, 'latin1')
  header.write('\n', NPY_HEADER - 1, 'latin1')
  return header
}

export class NpyWriter implements RowWriter {
  #rows = 0

  constructor(
    private readonly sink: Sink,
    private readonly layout: RowLayout,
  ) {}

  async add(rows: EncodedRows): Promise<void> {
    const { data, shape } = rows as DenseRows
    if (this.#rows === 0) await this.sink.write(this.#header())
    this.#rows += shape[0]
    await this.sink.write(bytesOf(data))
  }

  async end(): Promise<void> {
    if (this.#rows === 0) await this.sink.write(this.#header())
    else await this.sink.patch!(this.#header())
  }

  async close(): Promise<void> {}

  #header(): Uint8Array {
    return npyHeader(this.#rows, this.layout.width, this.layout.precision)
  }
}
