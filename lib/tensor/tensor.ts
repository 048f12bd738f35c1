import { invalidArgument, SentenceTorchError } from '../errors.js'
import type { ConfigObject, TensorData } from '../native/types.js'
import { checkOneOf, checkOptions } from '../options.js'
import { addToScope, leaveScope } from './scope.js'
import {
  broadcast,
  checkShape,
  commonType,
  dimension,
  dimensions,
  elements,
  isFloat,
  matmulShape,
  misfit,
  reduced,
  reshaped,
  type Shape,
  type TensorType,
} from './shapes.js'
import { spaceOf } from './space.js'

const READ = { float32: Float32Array, float64: Float64Array, int64: Int32Array, bool: Uint8Array }

/** What `data()` gives for each type. */
export interface DataOf {
  float32: Float32Array
  float64: Float64Array
  int64: Int32Array
  bool: Uint8Array
}

export type Dims = number | readonly number[]

/** Tensors that nobody can reach any more and that nobody disposed of. */
const lost = new FinalizationRegistry<number>((id) => {
  live.delete(id)
  spaceOf().free(id)
})
const live = new Set<number>()

/** How many tensors of this thread have not been disposed of. */
export function liveTensors(): number {
  return live.size
}

/** Numbers that JSON does not have, as the engine reads them. */
export const scalar = (value: number) => (Number.isFinite(value) ? value : String(value))

/** What a tensor is made with. @internal */
export interface Made {
  id: number
  shape: Shape
  dtype: TensorType
  requiresGrad: boolean
  isParameter?: boolean
}

/**
 * An array of numbers that the engine holds, with gradients by LibTorch's autograd. An operation only writes down what is to be
 * computed; `item()`, `data()` and `backward()` wait for it. Shapes and types are checked at once; what depends on values (an index out of
 * range) is told by whoever waits.
 *
 * A tensor lives until `dispose()`, or to the end of the {@link scope} that it was made in.
 */
export class Tensor {
  readonly shape: Shape
  /** `float32`, `float64`, `int64` (indices, labels) or `bool` (of comparisons). */
  readonly dtype: TensorType
  /** Whether it is a parameter, or made of parameters or of what a model embeds. */
  readonly requiresGrad: boolean
  /** @internal */
  readonly isParameter: boolean
  readonly #id: number
  #isDisposed = false

  /** @internal */
  constructor(made: Made) {
    this.#id = made.id
    this.shape = Object.freeze([...made.shape])
    this.dtype = made.dtype
    this.requiresGrad = made.requiresGrad
    this.isParameter = made.isParameter ?? false
    live.add(made.id)
    lost.register(this, made.id, this)
    addToScope(this)
  }

  /** Number of elements. */
  get size(): number {
    return elements(this.shape)
  }

  /** @internal The engine's number. @throws ERR_DISPOSED */
  get id(): number {
    if (this.#isDisposed) throw new SentenceTorchError('ERR_DISPOSED', `This tensor of [${this.shape}] was disposed of`)
    return this.#id
  }

  /** Frees its memory as soon as no gradient needs it. Idempotent. */
  dispose(): void {
    if (this.#isDisposed) return
    this.#isDisposed = true
    live.delete(this.#id)
    lost.unregister(this)
    leaveScope(this)
    spaceOf().free(this.#id)
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  /** Takes it out of its scope: it lives until `dispose()`. */
  keep(): this {
    leaveScope(this)
    return this
  }

  /** The values, row by row: a Float32Array (float32), Float64Array (float64), Int32Array (int64) or Uint8Array (bool). */
  async data(): Promise<TensorData> {
    const { id } = this
    const out = new READ[this.dtype](this.size)
    await spaceOf().job('Tensors.read', (native) => native.read(id, out))
    return out
  }

  /** The value of a tensor with one element. */
  async item(): Promise<number> {
    if (this.size !== 1) throw misfit('item', 'a tensor with one element', `[${this.shape}]`)
    return (await this.data())[0]!
  }

  /**
   * Adds the gradient of this number to every parameter that it was made of, and to the weights of models. What its operations kept
   * for that is freed: a second call throws.
   * @throws ERR_INVALID_ARGUMENT for a tensor with more than one element, or one that was made of no parameter
   */
  async backward(): Promise<void> {
    const { id } = this
    if (this.size !== 1) throw misfit('backward', 'a tensor with one element (a mean, a sum)', `[${this.shape}]`)
    if (!this.requiresGrad) {
      throw misfit('backward', 'a tensor that is made of parameters or of what a model embeds', 'one without gradient')
    }
    await spaceOf().job('Tensors.backward', (native) => native.backward(id))
  }

  /** A copy of the gradient that `backward()` has added to a parameter. */
  grad(): Tensor {
    if (!this.isParameter) throw misfit('grad', 'a parameter', `what was made by operations, [${this.shape}]`)
    return op('grad', [this], this.shape, { requiresGrad: false })
  }

  /** The same values; gradients end here. */
  detach(): Tensor {
    return op('detach', [this], this.shape, { requiresGrad: false })
  }

  /** The same values in another type. */
  to(dtype: TensorType): Tensor {
    if (dtype === undefined) throw invalidArgument('to: dtype', 'a type', dtype)
    checkType(dtype)
    const requiresGrad = this.requiresGrad && isFloat(dtype)
    return op('to', [this], this.shape, { dtype, options: { dtype }, requiresGrad })
  }

  // Element by element. Tensors of different shapes are broadcast as in PyTorch.
  add(other: Tensor | number): Tensor {
    return binary('add', this, other)
  }
  sub(other: Tensor | number): Tensor {
    return binary('sub', this, other)
  }
  mul(other: Tensor | number): Tensor {
    return binary('mul', this, other)
  }
  /** Of int64 tensors: float32. */
  div(other: Tensor | number): Tensor {
    return binary('div', floating(this), other)
  }
  pow(exponent: Tensor | number): Tensor {
    return binary('pow', floating(this), exponent)
  }
  maximum(other: Tensor | number): Tensor {
    return binary('maximum', this, other)
  }
  minimum(other: Tensor | number): Tensor {
    return binary('minimum', this, other)
  }
  eq(other: Tensor | number): Tensor {
    return binary('eq', this, other, 'bool')
  }
  ne(other: Tensor | number): Tensor {
    return binary('ne', this, other, 'bool')
  }
  gt(other: Tensor | number): Tensor {
    return binary('gt', this, other, 'bool')
  }
  ge(other: Tensor | number): Tensor {
    return binary('ge', this, other, 'bool')
  }
  lt(other: Tensor | number): Tensor {
    return binary('lt', this, other, 'bool')
  }
  le(other: Tensor | number): Tensor {
    return binary('le', this, other, 'bool')
  }
  neg(): Tensor {
    return op('neg', [numeric('neg', this)], this.shape)
  }
  abs(): Tensor {
    return op('abs', [numeric('abs', this)], this.shape)
  }
  exp(): Tensor {
    return op('exp', [floating(this)], this.shape)
  }
  log(): Tensor {
    return op('log', [floating(this)], this.shape)
  }
  sqrt(): Tensor {
    return op('sqrt', [floating(this)], this.shape)
  }
  relu(): Tensor {
    return op('relu', [floating(this)], this.shape)
  }
  tanh(): Tensor {
    return op('tanh', [floating(this)], this.shape)
  }
  sigmoid(): Tensor {
    return op('sigmoid', [floating(this)], this.shape)
  }
  /** ln(1 + exp x) */
  softplus(): Tensor {
    return op('softplus', [floating(this)], this.shape)
  }
  clamp(limits: { min?: number; max?: number }): Tensor {
    checkOptions('clamp', limits, ['min', 'max'])
    const given = Object.entries(limits).filter(([, value]) => value !== undefined)
    if (given.length === 0) throw invalidArgument('the options of clamp', 'min, max or both', limits)
    const options = Object.fromEntries(given.map(([name, value]) => [name, scalar(number(`clamp: ${name}`, value))]))
    return op('clamp', [floating(this)], this.shape, { options })
  }

  // Over one dimension, several or (default) all. `keepDim`: they stay, with size 1.
  sum(dim?: Dims, keepDim = false): Tensor {
    return reduce('sum', this.dtype === 'bool' ? this.to('int64') : this, dim, keepDim)
  }
  mean(dim?: Dims, keepDim = false): Tensor {
    return reduce('mean', floating(this), dim, keepDim)
  }
  logsumexp(dim?: Dims, keepDim = false): Tensor {
    return reduce('logsumexp', floating(this), dim, keepDim)
  }
  /** (Σ |x|^p)^(1/p); at 0 its gradient is 0. */
  norm(dim?: Dims, { p = 2, keepDim = false }: { p?: number; keepDim?: boolean } = {}): Tensor {
    return reduce('norm', floating(this), dim, keepDim, { p: scalar(number('norm: p', p)) })
  }
  /** Of equal largest ones over a dimension, one gets the gradient; over all, each its share. */
  max(dim?: number, keepDim = false): Tensor {
    return extreme('max', this, dim, keepDim)
  }
  min(dim?: number, keepDim = false): Tensor {
    return extreme('min', this, dim, keepDim)
  }
  /** Where the largest stands, int64. */
  argmax(dim: number, keepDim = false): Tensor {
    const found = notEmpty('argmax', this, dimension('argmax', this.shape, dim))
    const options = { dim: found, keepDim }
    const shape = reduced(this.shape, [found], keepDim)
    return op('argmax', [numeric('argmax', this)], shape, { dtype: 'int64', options, requiresGrad: false })
  }
  softmax(dim: number): Tensor {
    return op('softmax', [floating(this)], this.shape, { options: { dim: dimension('softmax', this.shape, dim) } })
  }
  logSoftmax(dim: number): Tensor {
    return op('logSoftmax', [floating(this)], this.shape, {
      options: { dim: dimension('logSoftmax', this.shape, dim) },
    })
  }
  /** Divided by the length over `dim`, of at least `epsilon`. */
  normalize(dim = -1, epsilon = 1e-12): Tensor {
    const options = { dim: dimension('normalize', this.shape, dim), epsilon: number('normalize: epsilon', epsilon) }
    return op('normalize', [floating(this)], this.shape, { options })
  }

  /** The product of matrices […, n, k] · […, k, m], or of vectors. */
  matmul(other: Tensor): Tensor {
    checkTensor('matmul', other)
    const [a, b] = alike('matmul', floating(this), floating(other))
    return op('matmul', [a, b], matmulShape('matmul', this.shape, other.shape))
  }
  transpose(first = -2, second = -1): Tensor {
    const [a, b] = [dimension('transpose', this.shape, first), dimension('transpose', this.shape, second)]
    const shape = this.shape.map((size, i) => (i === a ? this.shape[b]! : i === b ? this.shape[a]! : size))
    return op('transpose', [this], shape, { options: { first: a, second: b } })
  }
  /** One size may be −1: what is left. */
  reshape(shape: readonly number[]): Tensor {
    if (!Array.isArray(shape)) throw invalidArgument('reshape: shape', 'an array of whole numbers', shape)
    return placed('reshape', this, reshaped('reshape', this.shape, shape))
  }
  unsqueeze(dim: number): Tensor {
    const at = dimension('unsqueeze', this.shape, dim, this.shape.length + 1)
    return placed('reshape', this, checkShape('unsqueeze', [...this.shape.slice(0, at), 1, ...this.shape.slice(at)]))
  }
  /** Without a dimension of size 1. */
  squeeze(dim: number): Tensor {
    const at = dimension('squeeze', this.shape, dim)
    if (this.shape[at] !== 1) throw misfit('squeeze', `size 1 of dimension ${at}`, `[${this.shape}]`)
    return placed('reshape', this, this.shape.toSpliced(at, 1))
  }
  expand(shape: readonly number[]): Tensor {
    const to = checkShape('expand', shape)
    const fits = broadcast('expand', this.shape, to).join() === to.join()
    if (!fits) throw misfit('expand', 'a shape that this one can be broadcast to', `[${this.shape}] and [${to}]`)
    return placed('expand', this, to)
  }
  /** From `start` to before `end`; negative ones count from the end. */
  slice(dim: number, start: number, end?: number): Tensor {
    const at = dimension('slice', this.shape, dim)
    const size = this.shape[at]!
    const [from, to] = [start, end ?? size].map((place) => (place < 0 ? place + size : place)) as [number, number]
    if (!Number.isInteger(from) || !Number.isInteger(to) || from < 0 || to > size || from > to) {
      throw misfit('slice', `places from 0 to ${size}`, `${start} to ${end}`)
    }
    const options = { dim: at, start: from, length: to - from }
    return op('slice', [this], this.shape.with(at, to - from), { options })
  }
  /** One place of a dimension, which goes away. */
  select(dim: number, index: number): Tensor {
    const at = dimension('select', this.shape, dim)
    const found = dimension('select: index', this.shape, index, this.shape[at])
    return op('select', [this], this.shape.toSpliced(at, 1), { options: { dim: at, index: found } })
  }
  /** The places of a dimension that `index` (int64, [n]) names. */
  indexSelect(dim: number, index: Tensor): Tensor {
    const at = dimension('indexSelect', this.shape, dim)
    const [size] = indices('indexSelect', index, 1).shape as [number]
    return op('indexSelect', [this, index], checkShape('indexSelect', this.shape.with(at, size)), {
      options: { dim: at },
    })
  }
  /** out[i][j] = this[i][index[i][j]] for `dim` 1: as torch.gather. */
  gather(dim: number, index: Tensor): Tensor {
    const at = dimension('gather', this.shape, dim)
    const { shape } = indices('gather', index, this.shape.length)
    const fits = shape.every((size, i) => i === at || size <= this.shape[i]!)
    if (!fits) throw misfit('gather', `an index within [${this.shape}] but for dimension ${at}`, `[${shape}]`)
    return op('gather', [this, index], shape, { options: { dim: at } })
  }
  /** Of a matrix. */
  diagonal(): Tensor {
    return op('diagonal', [matrix('diagonal', this)], [Math.min(...this.shape)])
  }
  /** A matrix with zeros below its `diagonal`-th diagonal. */
  triu(diagonal = 0): Tensor {
    return op('triu', [matrix('triu', this)], this.shape, { options: { diagonal: number('triu: diagonal', diagonal) } })
  }
  /** A matrix with zeros above it. */
  tril(diagonal = 0): Tensor {
    return op('tril', [matrix('tril', this)], this.shape, { options: { diagonal: number('tril: diagonal', diagonal) } })
  }
}

/** Writes an operation down. Type and gradient are those of the inputs unless `rest` says otherwise. @internal */
export function op(
  name: string,
  inputs: readonly Tensor[],
  shape: Shape,
  rest: { dtype?: TensorType; options?: ConfigObject; requiresGrad?: boolean; isParameter?: boolean } = {},
): Tensor {
  const { dtype = inputs[0]!.dtype, options, requiresGrad, isParameter } = rest
  const id = spaceOf().record(
    name,
    inputs.map((tensor) => tensor.id),
    options,
  )
  const reaches = requiresGrad ?? inputs.some((tensor) => tensor.requiresGrad)
  return new Tensor({ id, shape, dtype, requiresGrad: reaches, ...(isParameter && { isParameter }) })
}

/** @throws ERR_INVALID_ARGUMENT */
export function checkTensor(where: string, value: unknown): asserts value is Tensor {
  if (!(value instanceof Tensor)) throw invalidArgument(where, 'a tensor', value)
}

export function checkType(dtype: unknown): void {
  checkOneOf('dtype', dtype, Object.keys(READ))
}

export function number(name: string, value: unknown): number {
  if (typeof value !== 'number') throw invalidArgument(name, 'a number', value)
  return value
}

/** Whole numbers count as float32 where there are fractions. */
export function floating(tensor: Tensor): Tensor {
  return isFloat(tensor.dtype) ? tensor : tensor.to('float32')
}

/** Two tensors in the type that holds the values of both. */
export function alike(where: string, a: Tensor, b: Tensor): [Tensor, Tensor] {
  const type = commonType(where, a.dtype, b.dtype)
  return [a.dtype === type ? a : a.to(type), b.dtype === type ? b : b.to(type)]
}

function binary(name: string, tensor: Tensor, other: Tensor | number, dtype?: TensorType): Tensor {
  const isComparison = dtype !== undefined
  const rest = { ...(dtype && { dtype, requiresGrad: false }) }
  if (typeof other === 'number') {
    const isWhole = Number.isSafeInteger(other) && tensor.dtype !== 'bool'
    const own = isFloat(tensor.dtype) || isWhole ? tensor : tensor.to('float32')
    return op(name, [own], tensor.shape, { ...rest, options: { value: scalar(other) } })
  }
  if (!(other instanceof Tensor)) throw invalidArgument(name, 'a tensor or a number', other)
  const [a, b] = alike(name, tensor, other)
  if (!isComparison) numeric(name, a)
  return op(name, [a, b], broadcast(name, tensor.shape, other.shape), rest)
}

function reduce(name: string, tensor: Tensor, dim: Dims | undefined, keepDim: boolean, options?: ConfigObject): Tensor {
  const dims = dimensions(name, tensor.shape, dim)
  return op(name, [tensor], reduced(tensor.shape, dims, keepDim), { options: { dims, keepDim, ...options } })
}

function extreme(name: string, tensor: Tensor, dim: number | undefined, keepDim: boolean): Tensor {
  numeric(name, tensor)
  if (dim === undefined) {
    if (tensor.size === 0) throw misfit(name, 'a tensor with elements', `[${tensor.shape}]`)
    return op(name, [tensor], [])
  }
  const found = notEmpty(name, tensor, dimension(name, tensor.shape, dim))
  return op(name, [tensor], reduced(tensor.shape, [found], keepDim), { options: { dim: found, keepDim } })
}

function placed(name: string, tensor: Tensor, shape: Shape): Tensor {
  return op(name, [tensor], shape, { options: { shape: [...shape] } })
}

function numeric(name: string, tensor: Tensor): Tensor {
  if (tensor.dtype === 'bool') throw misfit(name, "numbers (change it by to('float32'))", 'a tensor of type bool')
  return tensor
}

function matrix(name: string, tensor: Tensor): Tensor {
  if (tensor.shape.length !== 2) throw misfit(name, 'a matrix', `[${tensor.shape}]`)
  return tensor
}

function notEmpty(name: string, tensor: Tensor, dim: number): number {
  if (tensor.shape[dim] === 0) throw misfit(name, 'a dimension with elements', `[${tensor.shape}]`)
  return dim
}

function indices(name: string, index: unknown, rank: number): Tensor {
  checkTensor(name, index)
  if (index.dtype !== 'int64' || index.shape.length !== rank) {
    throw misfit(name, `an index of type int64 with ${rank} dimensions`, `${index.dtype} [${index.shape}]`)
  }
  return index
}
