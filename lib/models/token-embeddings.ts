import { invalidArgument, SentenceTorchError } from '../errors.js'
import { type Embeddings, embeddings } from './embeddings.js'

/**
 * Embeddings of tokens: one matrix for each text, [tokens, dimension], and every text has its own number of tokens.
 * What `MultiVectorEncoder.encode` gives; Python has a list of tensors in its place.
 */
export class TokenEmbeddings {
  /** The vectors of all tokens of all texts, one after the other: [offsets[length], dimension]. */
  readonly data: Float32Array
  /** length + 1 numbers: the tokens of text `i` are those from `offsets[i]` up to `offsets[i + 1]`. */
  readonly offsets: Int32Array
  /** Width of a token's vector. */
  readonly dimension: number

  /**
   * Wraps `data` and `offsets` without copying.
   * @throws SentenceTorchError ERR_INVALID_ARGUMENT where they do not fit each other
   */
  constructor(data: Float32Array, offsets: Int32Array, dimension: number) {
    if (!(data instanceof Float32Array)) throw invalidArgument('data', 'a Float32Array', data)
    if (!(offsets instanceof Int32Array)) throw invalidArgument('offsets', 'an Int32Array', offsets)
    if (!Number.isInteger(dimension) || dimension < 1) throw invalidArgument('dimension', 'an integer ≥ 1', dimension)
    if (offsets.length === 0 || offsets[0] !== 0) throw invalidArgument('offsets[0]', '0', offsets[0])
    for (let i = 1; i < offsets.length; i++) {
      if (offsets[i]! < offsets[i - 1]!) {
        throw invalidArgument(`offsets[${i}]`, `at least ${offsets[i - 1]}`, offsets[i])
      }
    }
    const numbers = offsets[offsets.length - 1]! * dimension
    if (data.length !== numbers) {
      const message = `Expected ${numbers} numbers in data, ${offsets[offsets.length - 1]} tokens of ${dimension}, but found ${data.length}`
      throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
    }
    this.data = data
    this.offsets = offsets
    this.dimension = dimension
  }

  /** Number of texts. */
  get length(): number {
    return this.offsets.length - 1
  }

  /** The embeddings of text `i`, [tokens, dimension]: a view of `data`. Throws ERR_INVALID_ARGUMENT unless 0 ≤ i < length. */
  row(i: number): Embeddings {
    if (!Number.isInteger(i) || i < 0 || i >= this.length) {
      throw invalidArgument('row', `an integer from 0 to ${this.length - 1}`, i)
    }
    const [start, end] = [this.offsets[i]!, this.offsets[i + 1]!]
    const { dimension } = this
    return embeddings(this.data.subarray(start * dimension, end * dimension), end - start, dimension)
  }

  /**
   * Texts `from` up to `to` (exclusive), counted from the end where negative, as Array's `slice` does. The vectors are a view of
   * `data`.
   */
  slice(from = 0, to = this.length): TokenEmbeddings {
    const first = place(from, this.length)
    const last = Math.max(first, place(to, this.length))
    const { dimension } = this
    const [start, end] = [this.offsets[first]!, this.offsets[last]!]
    const offsets = this.offsets.slice(first, last + 1).map((offset) => offset - start)
    return new TokenEmbeddings(this.data.subarray(start * dimension, end * dimension), offsets, dimension)
  }

  *[Symbol.iterator](): Generator<Embeddings> {
    for (let i = 0; i < this.length; i++) yield this.row(i)
  }

  /**
   * Texts one after the other in one new array.
   * @param rows the embeddings of each text, [tokens, dimension], all of one width
   * @param dimension needed where there are no rows
   * @throws SentenceTorchError ERR_INVALID_ARGUMENT, naming the first row of another width
   */
  static fromRows(
    rows: readonly Pick<Embeddings, 'data' | 'shape'>[],
    dimension: number | undefined = rows[0]?.shape[1],
  ): TokenEmbeddings {
    if (dimension === undefined)
      throw invalidArgument('dimension', 'the width of a vector, as there are no rows', dimension)
    const offsets = new Int32Array(rows.length + 1)
    rows.forEach(({ shape }, i) => {
      if (shape[1] !== dimension) throw invalidArgument(`rows[${i}]`, `vectors of ${dimension} numbers`, shape[1])
      offsets[i + 1] = offsets[i]! + shape[0]
    })
    const data = new Float32Array(offsets[rows.length]! * dimension)
    rows.forEach((row, i) => {
      data.set(row.data, offsets[i]! * dimension)
    })
    return new TokenEmbeddings(data, offsets, dimension)
  }
}

function place(index: number, length: number): number {
  if (!Number.isInteger(index)) throw invalidArgument('slice', 'integers', index)
  return index < 0 ? Math.max(0, length + index) : Math.min(index, length)
}
