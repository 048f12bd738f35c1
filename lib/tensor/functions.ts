import { invalidArgument } from '../errors.js'
import type { ConfigObject, TensorData } from '../native/types.js'
import { checkInteger, checkOneOf, checkOptions } from '../options.js'
import { broadcast, catShape, checkShape, dimension, elements, isFloat, misfit, type TensorType } from './shapes.js'
import { spaceOf } from './space.js'
import { alike, checkTensor, checkType, floating, number, op, scalar, Tensor } from './tensor.js'

/** Values: numbers in arrays of any depth, or a typed array row by row. */
export type TensorValues = number | readonly TensorValues[] | Float32Array | Float64Array | Int32Array | Uint8Array

export interface TensorOptions {
  /** Of a typed array; default: one dimension. */
  shape?: readonly number[]
  /** Default: float32, but float64 of a Float64Array, int64 of an Int32Array and bool of a Uint8Array. */
  dtype?: TensorType
}

const TYPES: readonly [new () => TensorData, TensorType][] = [
  [Float32Array, 'float32'],
  [Float64Array, 'float64'],
  [Int32Array, 'int64'],
  [Uint8Array, 'bool'],
]

/**
 * A tensor of values, which are copied.
 * @example
 * const x = tensor([[1, 2], [3, 4]])
 * const labels = tensor([0, 2, 1], { dtype: 'int64' })
 */
export function tensor(values: TensorValues, options: TensorOptions = {}): Tensor {
  checkOptions('tensor', options, ['shape', 'dtype'])
  checkType(options.dtype)
  const typed = TYPES.find(([Type]) => values instanceof Type)
  const dtype = options.dtype ?? typed?.[1] ?? 'float32'
  const found = nestedShape(values)
  const shape = options.shape === undefined ? checkShape('tensor', found) : checkShape('tensor', options.shape)
  if (elements(shape) !== elements(found)) {
    throw misfit('tensor', `${elements(shape)} values for [${shape}]`, `${elements(found)} values`)
  }
  const data = typed ? (values as TensorData) : Float64Array.from(flatten(values))
  if (dtype === 'int64') for (const value of data) checkWhole('tensor', value)
  const id = spaceOf().recordData(data, { shape: [...shape], dtype })
  // The caller's array may change before the operation is given to the engine.
  if (typed) spaceOf().flush()
  return new Tensor({ id, shape, dtype, requiresGrad: false })
}

function checkWhole(where: string, value: number): void {
  if (!Number.isSafeInteger(value)) throw misfit(where, 'whole numbers for int64', String(value))
}

function nestedShape(values: TensorValues): number[] {
  if (typeof values === 'number') return []
  if (TYPES.some(([Type]) => values instanceof Type)) return [(values as TensorData).length]
  if (!Array.isArray(values)) throw invalidArgument('tensor', 'numbers in arrays, or a typed array', values)
  if (values.length === 0) return [0]
  const [first, ...others] = values.map((value: TensorValues) => nestedShape(value))
  for (const other of others)
    if (other.join() !== first!.join()) throw misfit('tensor', 'rows of one shape', `[${first}] and [${other}]`)
  return [values.length, ...first!]
}

function flatten(values: TensorValues): number[] {
  return typeof values === 'number' ? [values] : (values as readonly TensorValues[]).flatMap(flatten)
}

/** A copy of `value` that is trained: gradients go to it, and an optimizer may change it. It lives until `dispose()`. */
export function parameter(value: Tensor): Tensor {
  checkTensor('parameter', value)
  if (!isFloat(value.dtype)) throw misfit('parameter', 'float32 or float64', value.dtype)
  return leaf(value).keep()
}

/** A parameter of the scope. @internal */
export function leaf(value: Tensor): Tensor {
  return op('leaf', [value], value.shape, { requiresGrad: true, isParameter: true })
}

function made(name: string, shape: readonly number[], dtype: TensorType, options: ConfigObject): Tensor {
  checkType(dtype)
  const sizes = checkShape(name, shape)
  const id = spaceOf().record(name, [], { ...options, shape: [...sizes], dtype })
  return new Tensor({ id, shape: sizes, dtype, requiresGrad: false })
}

/** All elements are `value`. */
export function full(shape: readonly number[], value: number, dtype: TensorType = 'float32'): Tensor {
  if (dtype === 'int64') checkWhole('full', number('full: value', value))
  return made('full', shape, dtype, { value: scalar(number('full: value', value)) })
}

export function zeros(shape: readonly number[], dtype: TensorType = 'float32'): Tensor {
  return full(shape, 0, dtype)
}

export function ones(shape: readonly number[], dtype: TensorType = 'float32'): Tensor {
  return full(shape, 1, dtype)
}

/** [n, n] with ones on the diagonal. */
export function eye(n: number, dtype: TensorType = 'float32'): Tensor {
  return made('eye', [n, n], dtype, {})
}

/** Whole numbers from `start` to before `end`. */
export function arange(start: number, end: number, dtype: TensorType = 'int64'): Tensor {
  for (const [name, value] of Object.entries({ start, end })) checkInteger(`arange: ${name}`, value ?? null, -(2 ** 53))
  return made('arange', [Math.max(0, end - start)], dtype, { start })
}

/** Normally distributed, mean 0 and deviation 1: the numbers of torch.manual_seed(seed); torch.randn(shape). */
export function randn(shape: readonly number[], seed: number, dtype: TensorType = 'float32'): Tensor {
  return drawn('randn', shape, seed, dtype)
}

/** Evenly distributed in [0, 1): the numbers of torch.manual_seed(seed); torch.rand(shape). */
export function rand(shape: readonly number[], seed: number, dtype: TensorType = 'float32'): Tensor {
  return drawn('rand', shape, seed, dtype)
}

function drawn(name: string, shape: readonly number[], seed: number, dtype: TensorType): Tensor {
  checkInteger(`${name}: seed`, seed ?? null, 0)
  if (!isFloat(dtype)) throw misfit(name, 'float32 or float64', dtype)
  return made(name, shape, dtype, { seed })
}

function list(name: string, tensors: readonly Tensor[]): Tensor[] {
  if (!Array.isArray(tensors) || tensors.length === 0) throw invalidArgument(name, 'an array of tensors', tensors)
  for (const [i, one] of tensors.entries()) checkTensor(`${name}[${i}]`, one)
  const other = tensors.find(({ dtype }) => dtype !== tensors[0].dtype)
  if (other) throw misfit(name, 'tensors of one type', `${tensors[0].dtype} and ${other.dtype}`)
  return [...tensors]
}

/** One behind the other. */
export function cat(tensors: readonly Tensor[], dim = 0): Tensor {
  const all = list('cat', tensors)
  const at = dimension('cat', all[0]!.shape, dim)
  const shape = catShape(
    'cat',
    all.map((one) => one.shape),
    at,
  )
  return op('cat', all, shape, { options: { dim: at } })
}

/** Of one shape, in a new dimension. */
export function stack(tensors: readonly Tensor[], dim = 0): Tensor {
  const all = list('stack', tensors)
  const { shape } = all[0]!
  const at = dimension('stack', shape, dim, shape.length + 1)
  const other = all.find((one) => one.shape.join() !== shape.join())
  if (other) throw misfit('stack', 'tensors of one shape', `[${shape}] and [${other.shape}]`)
  return op('stack', all, checkShape('stack', [...shape.slice(0, at), all.length, ...shape.slice(at)]), {
    options: { dim: at },
  })
}

/** `a` where `condition` (bool) holds, else `b`. */
export function where(condition: Tensor, a: Tensor | number, b: Tensor | number): Tensor {
  checkTensor('where', condition)
  if (condition.dtype !== 'bool') throw misfit('where', 'a condition of type bool', condition.dtype)
  const like = [a, b].find((value) => value instanceof Tensor)?.dtype ?? 'float32'
  const typeOf = (value: number) => (isFloat(like) ? like : Number.isSafeInteger(value) ? 'int64' : 'float32')
  const filled = (value: number | Tensor) => (typeof value === 'number' ? full([], value, typeOf(value)) : value)
  const [one, other] = [filled(a), filled(b)]
  checkTensor('where', one)
  checkTensor('where', other)
  const [yes, no] = alike('where', one, other)
  const shape = broadcast('where', condition.shape, broadcast('where', yes.shape, no.shape))
  return op('where', [condition, yes, no], shape, { dtype: yes.dtype })
}

/** The cosine of every row of `a` with the same row of `b`: [rows, dim] and [rows, dim] to [rows]. */
export function cosineSimilarity(a: Tensor, b: Tensor): Tensor {
  checkTensor('cosineSimilarity', a)
  checkTensor('cosineSimilarity', b)
  return a.normalize().mul(b.normalize()).sum(-1)
}

export interface ReductionOptions {
  /** `none`: one value an element (of `crossEntropy`: a row). Default `mean`. */
  reduction?: 'mean' | 'sum' | 'none'
}

export interface CrossEntropyOptions extends ReductionOptions {
  /** A target that does not count. Default -100. */
  ignoreIndex?: number
  /** Share of the probability that is spread over all classes, from 0 to 1. Default 0. */
  labelSmoothing?: number
}

function reduction(name: string, options: ReductionOptions, more: readonly string[] = []): ConfigObject {
  checkOptions(name, options, ['reduction', ...more])
  checkOneOf('reduction', options.reduction, ['mean', 'sum', 'none'])
  return { reduction: options.reduction ?? 'mean' }
}

/** The negative log-likelihood of targets (int64 [rows]) under the softmax of logits [rows, classes]. */
export function crossEntropy(logits: Tensor, targets: Tensor, options: CrossEntropyOptions = {}): Tensor {
  checkTensor('crossEntropy', logits)
  checkTensor('crossEntropy', targets)
  const { ignoreIndex = -100, labelSmoothing = 0 } = options
  const given = {
    ...reduction('crossEntropy', options, ['ignoreIndex', 'labelSmoothing']),
    ignoreIndex,
    labelSmoothing,
  }
  checkInteger('ignoreIndex', ignoreIndex, -(2 ** 31))
  if (!(labelSmoothing >= 0 && labelSmoothing <= 1))
    throw invalidArgument('labelSmoothing', 'a number from 0 to 1', labelSmoothing)
  const [rows, classes] = logits.shape
  if (
    logits.shape.length !== 2 ||
    targets.dtype !== 'int64' ||
    targets.shape.join() !== String(rows) ||
    classes === 0
  ) {
    throw misfit(
      'crossEntropy',
      'logits [rows, classes] and targets int64 [rows]',
      `[${logits.shape}] and ${targets.dtype} [${targets.shape}]`,
    )
  }
  const shape = options.reduction === 'none' ? targets.shape : []
  return op('crossEntropy', [floating(logits), targets], shape, { options: given })
}

function elementLoss(name: string, input: Tensor, target: Tensor, options: ReductionOptions): Tensor {
  checkTensor(name, input)
  checkTensor(name, target)
  if (input.shape.join() !== target.shape.join()) {
    throw misfit(name, 'tensors of one shape', `[${input.shape}] and [${target.shape}]`)
  }
  const given = reduction(name, options)
  const shape = options.reduction === 'none' ? input.shape : []
  return op(name, alike(name, floating(input), floating(target)), shape, { options: given })
}

/** (input − target)² */
export function mseLoss(input: Tensor, target: Tensor, options: ReductionOptions = {}): Tensor {
  return elementLoss('mseLoss', input, target, options)
}

/** −t ln σ(x) − (1 − t) ln(1 − σ(x)) of logits x and targets t from 0 to 1. */
export function binaryCrossEntropyWithLogits(logits: Tensor, targets: Tensor, options: ReductionOptions = {}): Tensor {
  return elementLoss('binaryCrossEntropyWithLogits', logits, targets, options)
}
