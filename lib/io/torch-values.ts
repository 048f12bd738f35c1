import { byteLengthOf, type SafetensorsDType } from './dtypes.js'

/** An element type of torch: its name in safetensors, and its bytes. */
export interface StorageType {
  dtype: SafetensorsDType
  bytes: 1 | 2 | 4 | 8
}

/** Torch's classes of storages by their names in `torch`. */
export const storageTypes: Readonly<Record<string, StorageType>> = {
  DoubleStorage: { dtype: 'F64', bytes: 8 },
  FloatStorage: { dtype: 'F32', bytes: 4 },
  HalfStorage: { dtype: 'F16', bytes: 2 },
  BFloat16Storage: { dtype: 'BF16', bytes: 2 },
  LongStorage: { dtype: 'I64', bytes: 8 },
  IntStorage: { dtype: 'I32', bytes: 4 },
  ShortStorage: { dtype: 'I16', bytes: 2 },
  CharStorage: { dtype: 'I8', bytes: 1 },
  ByteStorage: { dtype: 'U8', bytes: 1 },
  BoolStorage: { dtype: 'BOOL', bytes: 1 },
}

/** Memory of tensors: an entry of the archive. */
export class TorchStorage {
  constructor(
    readonly type: StorageType,
    /** Its name among the archive's `data`. */
    readonly key: string,
    readonly elements: number,
  ) {}
}

/** A tensor: a view of a storage, which others may share. Offset and strides count elements. */
export interface TorchTensor {
  storage: TorchStorage
  offset: number
  shape: readonly number[]
  strides: readonly number[]
  byteLength: number
}

/** Limit of dimensions. No tensor of torch has as many. */
const MAX_DIMENSIONS = 64

/** The view, or its fault. All of its elements are in the storage. */
export function rebuildTensor(
  storage: TorchStorage,
  offset: unknown,
  shape: readonly unknown[] | undefined,
  strides: readonly unknown[] | undefined,
): TorchTensor | string {
  if (!isCount(offset)) return 'the offset of a tensor is no count'
  if (!areCounts(shape) || !areCounts(strides) || shape.length !== strides.length)
    return 'a tensor has an impossible shape'
  const byteLength = byteLengthOf(storage.type.dtype, shape)
  if (byteLength === undefined) return `a tensor has the impossible shape [${shape}]`
  const last = shape.reduce((sum, size, i) => sum + (size - 1) * strides[i]!, offset)
  if (byteLength > 0 && !(last < storage.elements)) {
    return `a tensor [${shape}] with strides [${strides}] from ${offset} on lies outside the ${storage.elements} elements of its storage`
  }
  // The offset of an empty tensor has no meaning.
  return { storage, offset: byteLength > 0 ? offset : 0, shape, strides, byteLength }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function areCounts(values: readonly unknown[] | undefined): values is readonly number[] {
  return values !== undefined && values.length <= MAX_DIMENSIONS && values.every(isCount)
}
