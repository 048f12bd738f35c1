import { SentenceTorchError } from '../../errors.js'
import { byteLengthOf, type SafetensorsDType } from '../../io/dtypes.js'
import { SparseEmbeddings } from '../../models/sparse-embeddings.js'
import { TokenEmbeddings } from '../../models/token-embeddings.js'
import { bytesOf, type EncodedRows, lengthOfRows, type RowLayout } from '../rows.js'
import type { RowWriter, Sink } from './writer.js'

/** Bytes of the header, which has room for any sizes and is written again at the end. */
const HEADER_BYTES = 1024

/** Offsets are int32. */
const MOST_ENTRIES = 2 ** 31 - 1

const TYPES = { float32: 'F32', int8: 'I8', binary: 'I8', uint8: 'U8', ubinary: 'U8' } as const

interface Placed {
  name: string
  dtype: SafetensorsDType
  shape: number[]
}

/**
 * `embeddings` [rows, width]; of tokens `embeddings` [tokens, width] and `offsets` [rows + 1]; of sparse rows `indices`, `values` and
 * `offsets`. The first tensor passes through, the others are in memory: 8 bytes for each value of a sparse row, or 4 for each row.
 */
export class SafetensorsRows implements RowWriter {
  #rows = 0
  /** Tokens, or values. */
  #entries = 0
  #begun = false
  readonly #values: Float32Array[] = []
  readonly #ends: Int32Array[] = []

  constructor(
    private readonly sink: Sink,
    private readonly layout: RowLayout,
  ) {}

  async add(rows: EncodedRows): Promise<void> {
    await this.#begin()
    if (rows instanceof SparseEmbeddings) {
      await this.sink.write(bytesOf(rows.indices))
      this.#values.push(rows.values)
    } else await this.sink.write(bytesOf(rows.data))
    if (rows instanceof SparseEmbeddings || rows instanceof TokenEmbeddings) {
      const before = this.#entries
      if (before + rows.offsets.at(-1)! > MOST_ENTRIES) {
        const message = `A file holds at most ${MOST_ENTRIES} values or tokens: choose fewer rowsPerFile`
        throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
      }
      this.#ends.push(rows.offsets.slice(1).map((end) => before + end))
      this.#entries += rows.offsets.at(-1)!
    }
    this.#rows += lengthOfRows(rows)
  }

  async end(): Promise<void> {
    await this.#begin()
    for (const values of this.#values) await this.sink.write(bytesOf(values))
    if (this.layout.kind !== 'dense') {
      for (const ends of [new Int32Array(1), ...this.#ends]) await this.sink.write(bytesOf(ends))
    }
    await this.sink.patch!(headerOf(this.#tensors(), this.#metadata()))
  }

  async close(): Promise<void> {}

  async #begin(): Promise<void> {
    if (this.#begun) return
    this.#begun = true
    await this.sink.write(Buffer.alloc(HEADER_BYTES, ' '))
  }

  /** In the order of their bytes. */
  #tensors(): Placed[] {
    const { kind, precision, width } = this.layout
    const dtype = TYPES[precision]
    if (kind === 'dense') return [{ name: 'embeddings', dtype, shape: [this.#rows, width] }]
    const offsets: Placed = { name: 'offsets', dtype: 'I32', shape: [this.#rows + 1] }
    if (kind === 'tokens') return [{ name: 'embeddings', dtype, shape: [this.#entries, width] }, offsets]
    const shape = [this.#entries]
    return [{ name: 'indices', dtype: 'I32', shape }, { name: 'values', dtype, shape }, offsets]
  }

  #metadata(): Record<string, string> {
    const { kind, precision, width } = this.layout
    return { dimension: String(width), kind, precision }
  }
}

function headerOf(tensors: readonly Placed[], metadata: Record<string, string>): Uint8Array {
  const entries: Record<string, object> = { __metadata__: metadata }
  let start = 0
  for (const { name, dtype, shape } of tensors) {
    const end = start + byteLengthOf(dtype, shape)!
    entries[name] = { dtype, shape, data_offsets: [start, end] }
    start = end
  }
  const header = Buffer.alloc(HEADER_BYTES, ' ')
  header.writeBigUInt64LE(BigInt(HEADER_BYTES - 8))
  header.write(JSON.stringify(entries), 8)
  return header
}
