import { TimeSlice } from '../data/time-slice.js'
import { invalidArgument, SentenceTorchError } from '../errors.js'
import { type Embeddings, type EmbeddingsLike, embeddings, ownEmbeddings } from '../models/embeddings.js'
import { addExtremes, type Extremes, noExtremes, toBits, toBytes } from '../models/row-codes.js'
import { checkOneOf, checkOptions, checkType } from '../options.js'
import { checkFinite } from './blocks.js'

/** The array type of each precision. */
export interface QuantizedData {
  float32: Float32Array
  int8: Int8Array
  uint8: Uint8Array
  binary: Int8Array
  ubinary: Uint8Array
}
export type Precision = keyof QuantizedData

/** Rows of equal width with few bits per value. */
export interface QuantizedEmbeddings<P extends Precision = Precision> {
  /** All rows, one after another. */
  data: QuantizedData[P]
  /**
   * Number of rows, and of values in a row. For `binary` and `ubinary` the bytes of a row: an eighth of the dimensions,
   * rounded up.
   */
  shape: [number, number]
  /** Row `i`, a view of `data`. Throws ERR_INVALID_ARGUMENT unless 0 ≤ i < rows. */
  row(i: number): QuantizedData[P]
}

export interface QuantizeOptions {
  /** Least and greatest value of each dimension, [2, dim]. Only for `int8` and `uint8`. */
  ranges?: EmbeddingsLike
  /** Rows that give the ranges where `ranges` is absent. Default: the embeddings themselves, at least two of them. */
  calibrationEmbeddings?: EmbeddingsLike
  /**
   * All given rows are copied at the call, so later changes have no effect. `false` reads them in place; they must not
   * change until the promise settles. Default true.
   */
  copy?: boolean
}

/** Below this number of rows, ranges are rough. */
const ENOUGH_ROWS = 100
/**
 * Embeddings in fewer bits. `int8` and `uint8`: floor((x − min) / ((max − min) / 255)) of each dimension, from 0 to 255 or −128
 * to 127, values beyond the range at its ends. `ubinary`: one bit per dimension, 1 where x > 0, the first dimension in the
 * highest bit (NumPy's packbits), the last byte filled with 0; `binary` is that minus 128. `float32` copies.
 *
 * Truncate, then normalise, then quantise. A list of matrices (token embeddings of several texts) gives a list, with common
 * ranges. The arithmetic is in float32, so bytes are equal to those of the reference.
 * @param rows [n, dim]
 * Source: sentence-transformers `util.quantize_embeddings`.
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT (shapes; `int8` or `uint8` of one row without ranges or calibration; ranges or
 * calibration for another precision, which would have no effect), ERR_INVALID_DATA (ranges or calibration that are not finite),
 * ERR_UNKNOWN_OPTION
 */
export async function quantizeEmbeddings<P extends Precision>(
  rows: EmbeddingsLike,
  precision: P,
  options?: QuantizeOptions,
): Promise<QuantizedEmbeddings<P>>
export async function quantizeEmbeddings<P extends Precision>(
  matrices: readonly Embeddings[],
  precision: P,
  options?: QuantizeOptions,
): Promise<QuantizedEmbeddings<P>[]>
export async function quantizeEmbeddings(
  input: EmbeddingsLike | readonly Embeddings[],
  precision: Precision,
  options: QuantizeOptions = {},
): Promise<QuantizedEmbeddings | QuantizedEmbeddings[]> {
  checkOneOf('precision', precision ?? null, ['float32', 'int8', 'uint8', 'binary', 'ubinary'])
  checkOptions('quantizeEmbeddings', options, ['ranges', 'calibrationEmbeddings', 'copy'])
  checkType('copy', options.copy, 'boolean')
  const needsRanges = precision === 'int8' || precision === 'uint8'
  const given = (['ranges', 'calibrationEmbeddings'] as const).find((name) => options[name] !== undefined)
  if (given !== undefined && !needsRanges) {
    const message = `${given} is for int8 and uint8 alone; ${precision} has no ranges`
    throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
  }
  const isList = Array.isArray(input) && input.length > 0 && !(input[0] instanceof Float32Array)
  const list = isList
    ? (input as readonly Embeddings[]).map((each, i) => ownEmbeddings(each, `embeddings[${i}]`, options.copy))
    : [ownEmbeddings(input as EmbeddingsLike, 'embeddings', options.copy)]
  const slice = new TimeSlice()
  const ranges = needsRanges ? await rangesOf(list, options, precision, slice) : undefined
  const results: QuantizedEmbeddings[] = []
  const isSigned = precision === 'int8' || precision === 'binary'
  const [Bytes, shift] = isSigned ? ([Int8Array, 128] as const) : ([Uint8Array, 0] as const)
  for (const { data, shape } of list) {
    const [rows, dim] = shape
    if (ranges !== undefined) {
      results.push(wrap(await toBytes(data, new Bytes(data.length), ranges, shift, slice), rows, dim))
    } else if (precision === 'float32') results.push(wrap(data.slice(), rows, dim))
    else {
      const width = Math.ceil(dim / 8)
      results.push(wrap(await toBits(data, new Bytes(rows * width), dim, shift, slice), rows, width))
    }
  }
  return isList ? results : results[0]!
}

async function rangesOf(
  list: readonly Embeddings[],
  { ranges, calibrationEmbeddings, copy }: QuantizeOptions,
  precision: Precision,
  slice: TimeSlice,
): Promise<Extremes> {
  const dim = list[0]!.shape[1]
  const other = list.findIndex(({ shape }) => shape[1] !== dim)
  if (other !== -1) throw invalidArgument(`the width of embeddings[${other}]`, `${dim}`, list[other]!.shape[1])
  if (ranges !== undefined) {
    const { data, shape } = ownEmbeddings(ranges, 'ranges')
    if (shape[0] !== 2 || shape[1] !== dim) throw wrongShape('ranges', `2 × ${dim}`, shape)
    checkFinite(embeddings(data, ...shape), 'ranges')
    return { low: data.subarray(0, dim), high: data.subarray(dim) }
  }
  const own = calibrationEmbeddings === undefined
  const from = own ? list : [ownEmbeddings(calibrationEmbeddings, 'calibrationEmbeddings', copy)]
  const rows = from.reduce((sum, { shape }) => sum + shape[0], 0)
  if (!own && (rows === 0 || from[0]!.shape[1] !== dim)) {
    throw wrongShape('calibrationEmbeddings', `rows of ${dim}`, from[0]!.shape)
  }
  // Of a number that is none, ranges are none either: all rows would become one.
  if (!own) checkFinite(from[0]!, 'calibrationEmbeddings')
  if (own && rows === 1) {
    const message = `One embedding has no ranges for ${precision}: pass ranges, or calibrationEmbeddings of many texts`
    throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
  }
  if (own && rows > 0 && rows < ENOUGH_ROWS) {
    process.emitWarning(
      `The ranges of ${precision} are taken from ${rows} embeddings; they are more stable with calibrationEmbeddings, or ` +
        'with ranges of more',
      'SentenceTorchWarning',
    )
  }
  const extremes = noExtremes(dim)
  for (const { data } of from) await addExtremes(extremes, data, slice)
  return extremes
}

function wrap<P extends Precision>(data: QuantizedData[P], rows: number, width: number): QuantizedEmbeddings<P> {
  return {
    data,
    shape: [rows, width],
    row(i) {
      if (!Number.isInteger(i) || i < 0 || i >= rows)
        throw invalidArgument('row', `an integer from 0 to ${rows - 1}`, i)
      return data.subarray(i * width, (i + 1) * width) as QuantizedData[P]
    },
  }
}

function wrongShape(name: string, expected: string, shape: readonly number[]): SentenceTorchError {
  return new SentenceTorchError(
    'ERR_INVALID_ARGUMENT',
    `Expected ${expected} values for ${name}, received ${shape.join(' × ')}`,
  )
}
