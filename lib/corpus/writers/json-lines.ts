import { SparseEmbeddings } from '../../models/sparse-embeddings.js'
import { TokenEmbeddings } from '../../models/token-embeddings.js'
import type { EncodedRows } from '../rows.js'
import type { RowWriter, Sink } from './writer.js'

/** A line for each text: `embedding`, of tokens a list of lists; of sparse rows `indices` and `values`. */
export class JsonRows implements RowWriter {
  constructor(
    private readonly sink: Sink,
    private readonly withTexts: boolean,
  ) {}

  async add(rows: EncodedRows, texts: readonly string[]): Promise<void> {
    const lines = texts.map((text, i) => {
      return `${JSON.stringify({ ...(this.withTexts && { text }), ...rowOf(rows, i) })}\n`
    })
    await this.sink.write(lines.join(''))
  }

  async end(): Promise<void> {}
  async close(): Promise<void> {}
}

function rowOf(rows: EncodedRows, i: number): object {
  if (rows instanceof SparseEmbeddings) {
    const { indices, values } = rows.row(i)
    return { indices: [...indices], values: numbers(values) }
  }
  if (rows instanceof TokenEmbeddings) {
    const { data, shape } = rows.row(i)
    const width = shape[1]
    return { embedding: Array.from({ length: shape[0] }, (_, t) => numbers(data.subarray(t * width, (t + 1) * width))) }
  }
  const width = rows.shape[1]
  return { embedding: numbers(rows.data.subarray(i * width, (i + 1) * width)) }
}

/** Nine digits give every float32 back. */
function numbers(values: ArrayLike<number>): number[] {
  return Array.from(values, (value) => (Number.isInteger(value) ? value : Number(value.toPrecision(9))))
}
