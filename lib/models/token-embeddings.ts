import { invalidArgument, SentenceTorchError } from '../errors.js'
import { checkOneOf, checkOptions } from '../options.js'
import type { Embeddings, EmbeddingsLike } from './embeddings.js'
import {
  checkedRanges,
  decoded,
  encoded,
  entriesOf,
  TOKEN_ARRAYS,
  TOKEN_PRECISIONS,
  type TokenData,
  type TokenPrecision,
} from './multi-vector/precision.js'

/** The vectors of one text. Of `float32` they are {@link Embeddings}. */
export interface TokenRow<P extends TokenPrecision = TokenPrecision> {
  /** All vectors, one after the other. */
  data: TokenData[P]
  /** Vectors, and entries of `data` for each. */
  shape: [number, number]
  /** Vector `i`, a view of `data`. Throws ERR_INVALID_ARGUMENT unless 0 ≤ i < vectors. */
  row(i: number): TokenData[P]
}

export interface TokenEmbeddingsOptions<P extends TokenPrecision = TokenPrecision> {
  /** Default `float32`. */
  precision?: P
  /** Of `int8`: the least and the greatest value of each number, [2, dimension]. Without them a byte stands for itself. */
  ranges?: EmbeddingsLike | undefined
}

/**
 * Embeddings of tokens: one matrix for each text, [tokens, dimension], and every text has its own number of tokens.
 * What `MultiVectorEncoder.encode` gives; Python has a list of tensors in its place.
 */
export class TokenEmbeddings<P extends TokenPrecision = 'float32'> {
  /** The vectors of all tokens of all texts, one after the other: [offsets[length], dimension]; of `binary` eight numbers a byte. */
  readonly data: TokenData[P]
  /** length + 1 numbers: the tokens of text `i` are those from `offsets[i]` up to `offsets[i + 1]`. */
  readonly offsets: Int32Array
  /** Numbers of a token's vector. */
  readonly dimension: number
  /** What the numbers are stored as. */
  readonly precision: P
  /** Of `int8`: the least and the greatest value of each number, [2, dimension], where they are known. */
  readonly ranges: Embeddings | undefined

  /**
   * Wraps `data` and `offsets` without copying.
   * @throws SentenceTorchError ERR_INVALID_ARGUMENT where they do not fit each other
   */
  constructor(data: TokenData[P], offsets: Int32Array, dimension: number, options: TokenEmbeddingsOptions<P> = {}) {
    checkOptions('TokenEmbeddings', options, ['precision', 'ranges'])
    const { precision = 'float32' as TokenPrecision, ranges } = options
    checkOneOf('precision', precision, TOKEN_PRECISIONS)
    const kind = TOKEN_ARRAYS[precision]
    if (!(data instanceof kind)) throw invalidArgument(`data of ${precision}`, kind.name, data)
    if (!(offsets instanceof Int32Array)) throw invalidArgument('offsets', 'an Int32Array', offsets)
    if (!Number.isInteger(dimension) || dimension < 1) throw invalidArgument('dimension', 'an integer ≥ 1', dimension)
    if (offsets.length === 0 || offsets[0] !== 0) throw invalidArgument('offsets[0]', '0', offsets[0])
    for (let i = 1; i < offsets.length; i++) {
      if (offsets[i]! < offsets[i - 1]!) {
        throw invalidArgument(`offsets[${i}]`, `at least ${offsets[i - 1]}`, offsets[i])
      }
    }
    const tokens = offsets[offsets.length - 1]!
    const entries = tokens * entriesOf(precision, dimension)
    if (data.length !== entries) {
      const what = precision === 'float32' ? 'numbers' : `entries of ${precision}`
      const message = `Expected ${entries} ${what} in data, ${tokens} tokens of ${dimension}, but found ${data.length}`
      throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
    }
    if (ranges !== undefined && precision !== 'int8') throw invalidArgument(`ranges of ${precision}`, 'none', ranges)
    this.data = data
    this.offsets = offsets
    this.dimension = dimension
    this.precision = precision as P
    this.ranges = ranges && checkedRanges(ranges, dimension)
  }

  /** Number of texts. */
  get length(): number {
    return this.offsets.length - 1
  }

  /** The embeddings of text `i`, [tokens, dimension]: a view of `data`. Throws ERR_INVALID_ARGUMENT unless 0 ≤ i < length. */
  row(i: number): TokenRow<P> {
    if (!Number.isInteger(i) || i < 0 || i >= this.length) {
      throw invalidArgument('row', `an integer from 0 to ${this.length - 1}`, i)
    }
    const [start, end] = [this.offsets[i]!, this.offsets[i + 1]!]
    const width = entriesOf(this.precision, this.dimension)
    const [data, vectors] = [this.#part(start, end), end - start]
    return {
      data,
      shape: [vectors, width],
      row(vector) {
        if (Number.isInteger(vector) && vector >= 0 && vector < vectors)
          return data.subarray(vector * width, (vector + 1) * width) as TokenData[P]
        throw invalidArgument('row', `an integer from 0 to ${vectors - 1}`, vector)
      },
    }
  }

  /**
   * Texts `from` up to `to` (exclusive), counted from the end where negative, as Array's `slice` does. The vectors are a view of
   * `data`.
   */
  slice(from = 0, to = this.length): TokenEmbeddings<P> {
    const first = place(from, this.length)
    const last = Math.max(first, place(to, this.length))
    const [start, end] = [this.offsets[first]!, this.offsets[last]!]
    const offsets = this.offsets.slice(first, last + 1).map((offset) => offset - start)
    return this.#like(this.#part(start, end), offsets)
  }

  /** @internal The same in memory of its own. @param copy of the data */
  owned(copy: (data: TokenData[P]) => TokenData[P]): TokenEmbeddings<P> {
    return this.#like(copy(this.data), this.offsets.slice())
  }

  /**
   * The same vectors with other numbers: `float16` rounds to the nearest; `int8` has 256 steps between the least and the greatest
   * value of each number (`ranges`, by default those of these vectors), and `binary` a bit, 1 above 0, as `quantizeEmbeddings` has them.
   * Back to `float32` a byte is the middle of its step, and bits are -1 and 1.
   * @throws SentenceTorchError ERR_INVALID_ARGUMENT
   */
  async toPrecision<Q extends TokenPrecision>(
    precision: Q,
    options: Pick<TokenEmbeddingsOptions, 'ranges'> = {},
  ): Promise<TokenEmbeddings<Q>> {
    checkOneOf('precision', precision ?? null, TOKEN_PRECISIONS)
    checkOptions('toPrecision', options, ['ranges'])
    const { dimension } = this
    const given = options.ranges === undefined ? undefined : checkedRanges(options.ranges, dimension)
    if (given && (precision as TokenPrecision) !== 'int8')
      throw invalidArgument(`ranges of ${precision}`, 'none', options.ranges)
    const own: TokenPrecision = this.precision
    if (own === precision && !given) return this as unknown as TokenEmbeddings<Q>
    const offsets = this.offsets.slice()
    const floats =
      own === 'float32'
        ? (this.data as Float32Array)
        : await decoded(own, this.data as Uint16Array | Int8Array, dimension, this.ranges)
    if (precision === 'float32') return new TokenEmbeddings(floats, offsets, dimension) as unknown as TokenEmbeddings<Q>
    const { data, ranges } = await encoded(floats, dimension, precision as Exclude<Q, 'float32'>, given)
    return new TokenEmbeddings<Q>(data as TokenData[Q], offsets, dimension, { precision, ranges })
  }

  *[Symbol.iterator](): Generator<TokenRow<P>> {
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
      if (!(row.data instanceof Float32Array))
        throw invalidArgument(`rows[${i}].data`, 'a Float32Array', (row.data as object)?.constructor?.name)
      data.set(row.data, offsets[i]! * dimension)
    })
    return new TokenEmbeddings(data, offsets, dimension)
  }

  #part(start: number, end: number): TokenData[P] {
    const width = entriesOf(this.precision, this.dimension)
    return this.data.subarray(start * width, end * width) as TokenData[P]
  }

  #like(data: TokenData[P], offsets: Int32Array): TokenEmbeddings<P> {
    const { dimension, precision, ranges } = this
    return new TokenEmbeddings<P>(data, offsets, dimension, { precision, ranges })
  }
}

/** Vectors of any precision. */
export type AnyTokenEmbeddings = TokenEmbeddings<TokenPrecision>

function place(index: number, length: number): number {
  if (!Number.isInteger(index)) throw invalidArgument('slice', 'integers', index)
  return index < 0 ? Math.max(0, length + index) : Math.min(index, length)
}
