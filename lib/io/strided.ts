// Tensors whose elements have another order in a file than their indices: transposed ones, slices, repeated ones.

/** Bytes that are read at once. */
const CHUNK_BYTES = 1024 * 1024

export interface StridedView {
  shape: readonly number[]
  /** In elements, none negative. */
  strides: readonly number[]
  itemBytes: 1 | 2 | 4 | 8
  /** Position of the first element in the file. */
  position: number
}

/** Whether the elements are adjacent in the order of their indices. */
export function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  if (shape.includes(0)) return true
  let next = 1
  for (let i = shape.length - 1; i >= 0; i--) {
    if (shape[i] !== 1 && strides[i] !== next) return false
    next *= shape[i]!
  }
  return true
}

/** Steps to the next index of a dimension, in elements: in the file, and in the order of the indices. */
interface Dimension {
  size: number
  stride: number
  step: number
  /** Elements of the file that this dimension and those after it span. */
  span: number
}

/**
 * The elements in the order of their indices. The file is read about once, unless the view overlaps much with itself.
 * @param read fills memory from a position of the file
 */
export async function gather(
  view: StridedView,
  read: (target: Uint8Array, position: number) => Promise<void>,
): Promise<Uint8Array> {
  const { itemBytes, position } = view
  const dimensions = inOrderOfFile(view)
  const elements = view.shape.reduce((product, size) => product * size, 1)
  const output = new arrays[itemBytes](elements)
  if (elements === 0) return new Uint8Array(output.buffer)
  const chunkElements = CHUNK_BYTES / itemBytes
  const chunk = new arrays[itemBytes](Math.min(chunkElements, dimensions[0]?.span ?? 1))

  const copy = (level: number, from: number, to: number): void => {
    const dimension = dimensions[level]
    if (dimension === undefined) {
      output[to] = chunk[from]!
      return
    }
    const { size, stride, step } = dimension
    for (let i = 0; i < size; i++) copy(level + 1, from + i * stride, to + i * step)
  }
  const visit = async (level: number, from: number, to: number): Promise<void> => {
    const { size, stride, step, span } = dimensions[level] ?? { size: 1, stride: 0, step: 0, span: 1 }
    const inner = dimensions[level + 1]?.span ?? 1
    if (span > chunkElements && inner > chunkElements) {
      for (let i = 0; i < size; i++) await visit(level + 1, from + i * stride, to + i * step)
      return
    }
    // Takes as many indices at once as their elements fit. Elements between them are read too.
    const group = span <= chunkElements ? size : Math.floor((chunkElements - inner) / stride) + 1
    for (let first = 0; first < size; first += group) {
      const count = Math.min(group, size - first)
      const begin = from + first * stride
      const length = (count - 1) * stride + inner
      await read(new Uint8Array(chunk.buffer, 0, length * itemBytes), position + begin * itemBytes)
      for (let i = 0; i < count; i++) copy(level + 1, i * stride, to + (first + i) * step)
    }
  }
  await visit(0, 0, 0)
  return new Uint8Array(output.buffer)
}

/** Dimensions from the widest stride to the narrowest, so that the file is read in its order. */
function inOrderOfFile({ shape, strides }: StridedView): Dimension[] {
  let step = 1
  const dimensions: Dimension[] = []
  for (let i = shape.length - 1; i >= 0; i--) {
    if (shape[i] !== 1) dimensions.push({ size: shape[i]!, stride: strides[i]!, step, span: 0 })
    step *= shape[i]!
  }
  dimensions.sort((a, b) => a.stride - b.stride)
  let span = 1
  for (const dimension of dimensions) {
    span += (dimension.size - 1) * dimension.stride
    dimension.span = span
  }
  return dimensions.reverse()
}

/** Elements are moved as integers of their size. Moved as floats, some engines would change NaNs. */
const arrays = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array, 8: BigUint64Array } as const
