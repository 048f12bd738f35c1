import type { SchemaElement } from 'hyparquet'
import { ParquetThread } from '../../data/writers/parquet.js'
import { SparseEmbeddings } from '../../models/sparse-embeddings.js'
import { TokenEmbeddings } from '../../models/token-embeddings.js'
import type { EncodedRows, RowLayout } from '../rows.js'
import type { RowWriter, Sink } from './writer.js'

/** Rows of a message to the thread. */
const PIECE_ROWS = 1024
/** Numbers of a message: vectors of tokens are many. */
const PIECE_NUMBERS = 2 ** 20

const optional = { repetition_type: 'OPTIONAL' } as const

const ELEMENTS = {
  float32: { type: 'FLOAT' },
  int8: { type: 'INT32', converted_type: 'INT_8' },
  binary: { type: 'INT32', converted_type: 'INT_8' },
  uint8: { type: 'INT32', converted_type: 'UINT_8' },
  ubinary: { type: 'INT32', converted_type: 'UINT_8' },
} as const

/** A list as pyarrow writes it. */
function list(name: string, element: readonly SchemaElement[]): SchemaElement[] {
  return [
    { name, ...optional, converted_type: 'LIST', num_children: 1 },
    { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
    ...element,
  ]
}

function columnsOf({ kind, precision }: RowLayout): SchemaElement[][] {
  const element = { name: 'element', ...optional, ...ELEMENTS[precision] }
  if (kind === 'dense') return [list('embedding', [element])]
  if (kind === 'tokens') return [list('embedding', list('element', [element]))]
  return [list('indices', [{ ...element, type: 'INT32' }]), list('values', [element])]
}

/**
 * Columns of lists, which a thread encodes: `embedding`, of tokens a list of lists; of sparse rows `indices` and `values`. Before them
 * `text`, if wanted.
 */
export class ParquetRows implements RowWriter {
  readonly #thread: ParquetThread

  constructor(
    private readonly sink: Sink,
    layout: RowLayout,
    private readonly withTexts: boolean,
    path: string,
  ) {
    const text: SchemaElement = { name: 'text', ...optional, type: 'BYTE_ARRAY', converted_type: 'UTF8' }
    const columns = [...(withTexts ? [[text]] : []), ...columnsOf(layout)]
    const schema = [{ name: 'schema', num_children: columns.length }, ...columns.flat()]
    this.#thread = new ParquetThread({ schema, metadata: [] }, path)
  }

  async add(rows: EncodedRows, texts: readonly string[]): Promise<void> {
    for (let start = 0; start < texts.length; ) {
      const end = Math.min(texts.length, start + piece(rows, start))
      const columns = columnValues(rows, start, end)
      if (this.withTexts) columns.unshift(texts.slice(start, end))
      await this.sink.write(await this.#thread.add(columns))
      start = end
    }
  }

  async end(): Promise<void> {
    await this.sink.write(await this.#thread.end())
  }

  close(): Promise<void> {
    return this.#thread.close()
  }
}

/** Rows of the next message. */
function piece(rows: EncodedRows, start: number): number {
  if (!(rows instanceof TokenEmbeddings)) return PIECE_ROWS
  let end = start + 1
  const numbers = (to: number) => (rows.offsets[to]! - rows.offsets[start]!) * rows.dimension
  while (end < rows.length && end - start < PIECE_ROWS && numbers(end + 1) <= PIECE_NUMBERS) end++
  return end - start
}

function columnValues(rows: EncodedRows, start: number, end: number): unknown[][] {
  const each = <T>(of: (i: number) => T) => Array.from({ length: end - start }, (_, i) => of(start + i))
  if (rows instanceof SparseEmbeddings) {
    return [each((i) => [...rows.row(i).indices]), each((i) => [...rows.row(i).values])]
  }
  if (rows instanceof TokenEmbeddings) {
    return [
      each((i) => {
        const one = rows.row(i)
        return Array.from({ length: one.shape[0] }, (_, t) => [...one.row(t)])
      }),
    ]
  }
  const width = rows.shape[1]
  return [each((i) => Array.from(rows.data.subarray(i * width, (i + 1) * width)))]
}
