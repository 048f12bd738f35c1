// Shapes and types of results: found when an operation is written down, so that an error has the caller's stack.
import { invalidArgument, SentenceTorchError } from '../errors.js'

export type Shape = readonly number[]
export type TensorType = 'float32' | 'float64' | 'int64' | 'bool'

/** 4 GiB in float32. */
const MOST_ELEMENTS = 2 ** 30
const MOST_DIMENSIONS = 8
/** Each holds the values of those before it. */
const ORDER: readonly TensorType[] = ['bool', 'int64', 'float32', 'float64']

export const elements = (shape: Shape) => shape.reduce((product, size) => product * size, 1)
export const isFloat = (type: TensorType) => type === 'float32' || type === 'float64'

export function misfit(where: string, expected: string, found: string): SentenceTorchError {
  return new SentenceTorchError('ERR_INVALID_ARGUMENT', `${where}: expected ${expected} but found ${found}`)
}

const show = (shape: Shape) => `[${shape.join(', ')}]`

/** @throws ERR_INVALID_ARGUMENT */
export function checkShape(where: string, shape: unknown): Shape {
  const fits = Array.isArray(shape) && shape.every((size) => Number.isInteger(size) && size >= 0)
  if (!fits) throw invalidArgument(`${where}: shape`, 'an array of whole numbers', shape)
  if (shape.length > MOST_DIMENSIONS) throw misfit(where, `at most ${MOST_DIMENSIONS} dimensions`, String(shape.length))
  const count = elements(shape)
  if (count > MOST_ELEMENTS) throw misfit(where, `at most ${MOST_ELEMENTS} elements`, `${count} in ${show(shape)}`)
  return [...(shape as number[])]
}

/** A dimension as a number from 0 on; negative ones count from the end. */
export function dimension(where: string, shape: Shape, dim: number, most = shape.length): number {
  const found = Number.isInteger(dim) && dim < 0 ? dim + most : dim
  if (!Number.isInteger(dim) || found < 0 || found >= most) {
    throw misfit(
      where,
      most === 0 ? 'a tensor with dimensions' : `a dimension from ${-most} to ${most - 1}`,
      String(dim),
    )
  }
  return found
}

/** All dimensions when absent. */
export function dimensions(where: string, shape: Shape, dim: number | readonly number[] | undefined): number[] {
  if (dim === undefined) return shape.map((_, i) => i)
  const found = [dim].flat().map((one) => dimension(where, shape, one as number))
  if (new Set(found).size < found.length) throw misfit(where, 'different dimensions', show(found))
  return found
}

export function reduced(shape: Shape, dims: readonly number[], keepDim: boolean): number[] {
  return shape.flatMap((size, i) => (dims.includes(i) ? (keepDim ? [1] : []) : [size]))
}

/** As PyTorch broadcasts: sizes from the last one on are equal, or one of them is 1 or absent. */
export function broadcast(where: string, a: Shape, b: Shape): number[] {
  const rank = Math.max(a.length, b.length)
  const out = Array.from({ length: rank }, (_, i) => {
    const [one, other] = [a[i - rank + a.length] ?? 1, b[i - rank + b.length] ?? 1]
    if (one !== other && one !== 1 && other !== 1) {
      throw misfit(where, 'shapes that are equal or can be broadcast', `${show(a)} and ${show(b)}`)
    }
    return one === 1 ? other : one
  })
  return [...checkShape(where, out)]
}

export function matmulShape(where: string, a: Shape, b: Shape): number[] {
  if (a.length === 0 || b.length === 0) throw misfit(where, 'two tensors with dimensions', `${show(a)} and ${show(b)}`)
  const left = a.length === 1 ? [1, ...a] : a
  const right = b.length === 1 ? [...b, 1] : b
  if (left.at(-1) !== right.at(-2)) {
    throw misfit(where, '[…, n, k] and […, k, m] with the same k', `${show(a)} and ${show(b)}`)
  }
  const out = broadcast(where, left.slice(0, -2), right.slice(0, -2))
  if (a.length > 1) out.push(left.at(-2)!)
  if (b.length > 1) out.push(right.at(-1)!)
  return [...checkShape(where, out)]
}

export function catShape(where: string, shapes: readonly Shape[], dim: number): number[] {
  const [first] = shapes as [Shape]
  for (const shape of shapes) {
    if (shape.length === first.length && shape.every((size, i) => i === dim || size === first[i])) continue
    throw misfit(where, `shapes that differ in dimension ${dim} alone`, `${show(first)} and ${show(shape)}`)
  }
  const out = first.map((size, i) => (i === dim ? shapes.reduce((sum, shape) => sum + shape[dim]!, 0) : size))
  return [...checkShape(where, out)]
}

/** With one −1, which stands for what is left. */
export function reshaped(where: string, from: Shape, to: readonly number[]): Shape {
  const open = to.indexOf(-1)
  const rest = elements(to.filter((_, i) => i !== open))
  const left = elements(from) / rest
  const found = to.map((size, i) => (i === open && Number.isInteger(left) ? left : size))
  if (elements(found) !== elements(from)) {
    throw misfit(where, `a shape of ${elements(from)} elements, as ${show(from)} has`, show(to))
  }
  return checkShape(where, found)
}

/** The type that holds the values of both. */
export function commonType(where: string, a: TensorType, b: TensorType): TensorType {
  if (isFloat(a) && isFloat(b) && a !== b) {
    throw misfit(where, "tensors of one type (change one by to('float32'))", `${a} and ${b}`)
  }
  return ORDER[Math.max(ORDER.indexOf(a), ORDER.indexOf(b))]!
}
