import { invalidArgument, SentenceTorchError } from '../../errors.js'
import { normalizeRows } from '../../models/embeddings.js'
import { isRefused } from './tensor-names.js'

/** The array of each type. */
export interface TensorData {
  float32: Float32Array
  int8: Int8Array
  uint8: Uint8Array
}
export type TensorType = keyof TensorData

/** Numbers in lists in lists, as deep as a tensor has dimensions. */
export type NestedNumbers = number | NestedNumbers[]
/** What `slice` keeps of a dimension: everything, one entry (and the dimension goes), or entries from … up to, but not including. */
export type Slice = null | number | readonly [number | null, number | null]

/**
 * Numbers of any shape, as `Tensor` of @huggingface/transformers: what a pipeline gives. `tensor[i]` is entry `i` of the first dimension,
 * and a loop gives one after the other; both are views.
 *
 * Of the methods there are `tolist`, `item`, `clone`, `slice` and `normalize`. Others of transformers.js throw ERR_NOT_IMPLEMENTED.
 */
export class Tensor<T extends TensorType = TensorType> {
  readonly type: T
  /** All numbers, the last dimension running fastest. */
  readonly data: TensorData[T]
  readonly dims: number[]
  readonly location = 'cpu'
  readonly [index: number]: Tensor<T>

  /** @throws SentenceTorchError ERR_INVALID_ARGUMENT where data and dims do not fit */
  constructor(type: T, data: TensorData[T], dims: readonly number[]) {
    if (product(dims) !== data.length) {
      const message = `Expected ${product(dims)} numbers for dims [${dims}] but received ${data.length}`
      throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
    }
    this.type = type
    this.data = data
    this.dims = [...dims]
    // biome-ignore lint/correctness/noConstructorReturn: only so does tensor[i] work as in transformers.js.
    return new Proxy(this, { get: (tensor, key) => member(tensor, key) })
  }

  /** Numbers in all. */
  get size(): number {
    return this.data.length
  }

  /** Lists in lists; of a tensor without dimensions its number. */
  tolist(): NestedNumbers {
    return this.dims.length === 0 ? this.data[0]! : nested(this.data, this.dims)
  }

  /** The only number. @throws SentenceTorchError ERR_INVALID_ARGUMENT where there are more, or none */
  item(): number {
    if (this.data.length === 1) return this.data[0]!
    throw new SentenceTorchError('ERR_INVALID_ARGUMENT', `item() needs one number, but there are ${this.data.length}`)
  }

  /** A tensor with memory of its own. */
  clone(): Tensor<T> {
    return new Tensor(this.type, this.data.slice() as TensorData[T], this.dims)
  }

  /**
   * A part, copied. Dimensions that are not named are kept whole; negative numbers count from the end.
   *
   * ```ts
   * embeddings.slice(null, [0, 256])   // the first 256 numbers of each row
   * ```
   * @throws SentenceTorchError ERR_INVALID_ARGUMENT for places that are not there
   */
  slice(...slices: readonly Slice[]): Tensor<T> {
    if (slices.length > this.dims.length) {
      throw invalidArgument('slices', `at most ${this.dims.length}, one for each dimension`, slices)
    }
    const ranges = this.dims.map((length, i) => rangeOf(slices[i] ?? null, length, i))
    const dims = ranges.filter(({ kept }) => kept).map(({ start, end }) => end - start)
    const data = this.data.slice(0, product(dims)) as TensorData[T]
    let to = 0
    const copy = (dimension: number, offset: number): void => {
      if (dimension === ranges.length) {
        data[to++] = this.data[offset]!
        return
      }
      const { start, end } = ranges[dimension]!
      const stride = product(this.dims.slice(dimension + 1))
      for (let i = start; i < end; i++) copy(dimension + 1, offset + i * stride)
    }
    copy(0, 0)
    return new Tensor(this.type, data, dims)
  }

  /**
   * Rows of the last dimension, divided by their Euclidean length. Rows of zeros stay so; transformers.js makes NaN of them.
   * @throws SentenceTorchError ERR_NOT_IMPLEMENTED for another norm or dimension
   */
  normalize(p = 2, dim = 1): Tensor<T> {
    const last = this.dims.length - 1
    if (p !== 2 || (dim < 0 ? dim + this.dims.length : dim) !== last) {
      const message = `normalize(${p}, ${dim}) is not built: of ${this.dims.length} dimensions, only normalize(2, ${last}) is`
      throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', message)
    }
    if (!(this.data instanceof Float32Array)) throw invalidArgument('normalize', 'a tensor of float32', this.data)
    return new Tensor(this.type, normalizeRows(this.data, this.dims[last]!) as TensorData[T], this.dims)
  }

  *[Symbol.iterator](): Generator<Tensor<T> | number, void> {
    if (this.dims.length === 1) yield* this.data
    else for (let i = 0; i < (this.dims[0] ?? 0); i++) yield entry(this, i)
  }
}

function member<T extends TensorType>(tensor: Tensor<T>, key: string | symbol): unknown {
  if (typeof key === 'string' && /^-?\d+$/.test(key)) return entry(tensor, Number(key))
  if (key in tensor || !isRefused(key)) return Reflect.get(tensor, key)
  const message = `Tensor.${String(key)} of transformers.js is not built; data and dims have all numbers`
  throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', message)
}

function entry<T extends TensorType>({ type, data, dims }: Tensor<T>, index: number): Tensor<T> {
  const [length, ...rest] = dims
  if (length === undefined) throw invalidArgument('index', 'none, of a tensor without dimensions', index)
  const place = placeOf(index, length, 0)
  const size = product(rest)
  return new Tensor(type, data.subarray(place * size, (place + 1) * size) as TensorData[T], rest)
}

function placeOf(index: number, length: number, dimension: number, last = length - 1): number {
  const place = index < 0 ? index + length : index
  if (Number.isInteger(place) && place >= 0 && place <= last) return place
  throw invalidArgument(`the index of dimension ${dimension}`, `an integer from ${-length} to ${last}`, index)
}

function rangeOf(slice: Slice, length: number, dimension: number): { start: number; end: number; kept: boolean } {
  if (typeof slice === 'number') {
    const start = placeOf(slice, length, dimension)
    return { start, end: start + 1, kept: false }
  }
  if (slice !== null && !(Array.isArray(slice) && slice.length === 2)) {
    throw invalidArgument(`the slice of dimension ${dimension}`, 'null, an integer or [start, end]', slice)
  }
  const [first, behind] = slice ?? [null, null]
  const start = placeOf(first ?? 0, length, dimension, length)
  // transformers.js takes what there is, too.
  const end = placeOf(Math.min(behind ?? length, length), length, dimension, length)
  if (start > end) throw invalidArgument(`the slice of dimension ${dimension}`, 'a start before the end', slice)
  return { start, end, kept: true }
}

function nested(data: TensorData[TensorType], dims: readonly number[]): NestedNumbers[] {
  const [length = 0, ...rest] = dims
  if (rest.length === 0) return Array.from(data)
  const size = product(rest)
  return Array.from({ length }, (_, i) => nested(data.subarray(i * size, (i + 1) * size), rest))
}

function product(dims: readonly number[]): number {
  return dims.reduce((all, length) => all * length, 1)
}
