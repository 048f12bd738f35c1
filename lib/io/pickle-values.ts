/** The values that a state dict's pickle may make, the names that it may call, and what each call makes. */
import { describe } from '../errors.js'
import type { PickleBytes } from './pickle-bytes.js'
import { rebuildTensor, type StorageType, storageTypes, TorchStorage, type TorchTensor } from './torch-values.js'

export class Tuple {
  constructor(readonly items: readonly Value[]) {}
}

/** A dict, or an OrderedDict: keys and values in turn. */
export class Dictionary {
  readonly items: Value[] = []

  constructor(readonly isOrdered: boolean) {}
}

/** A function or class that a pickle may name. */
export class Global {
  constructor(
    readonly name: string,
    readonly storage?: StorageType,
  ) {}
}

export type Value = null | boolean | number | string | Tuple | Dictionary | Global | TorchStorage | TorchTensor

const ORDERED_DICT = 'collections.OrderedDict'
const REBUILD_PARAMETER = 'torch._utils._rebuild_parameter'
const REBUILD_TENSOR = 'torch._utils._rebuild_tensor_v2'

/** All names that are allowed. */
export const globals: ReadonlyMap<string, Global> = new Map([
  ...[ORDERED_DICT, REBUILD_TENSOR, REBUILD_PARAMETER].map((name) => [name, new Global(name)] as const),
  ...Object.entries(storageTypes).map(([name, type]) => [`torch.${name}`, new Global(`torch.${name}`, type)] as const),
])

/** Calls a function that a pickle names. @param bytes for messages */
export function reduce(callee: Value, args: Value, bytes: PickleBytes): Value {
  if (!(callee instanceof Global) || callee.storage || !(args instanceof Tuple)) {
    throw bytes.broken(`${kindOf(callee)} cannot be called with ${kindOf(args)}`)
  }
  return call(callee.name, args.items, bytes)
}

function call(name: string, args: readonly Value[], bytes: PickleBytes): Value {
  if (name === ORDERED_DICT) {
    if (args.length === 0) return new Dictionary(true)
  } else if (name === REBUILD_PARAMETER) {
    const [tensor, requiresGrad, hooks] = args
    if (args.length === 3 && isTensor(tensor) && typeof requiresGrad === 'boolean' && isEmpty(hooks)) return tensor
  } else {
    const [storage, offset, shape, strides, requiresGrad, hooks, metadata] = args
    const isWhole = args.length === 6 || (args.length === 7 && isEmpty(metadata))
    if (isWhole && storage instanceof TorchStorage && typeof requiresGrad === 'boolean' && isEmpty(hooks)) {
      const tensor = rebuildTensor(storage, offset, itemsOf(shape), itemsOf(strides))
      if (typeof tensor !== 'string') return tensor
      throw bytes.broken(tensor)
    }
  }
  const given = args.slice(0, 8).map(kindOf).join(', ')
  throw bytes.refused(`calls ${name} with what torch does not give it (${given})`)
}

/** The storage that `('storage', type, key, location, elements)` refers to. @param bytes for messages */
export function storageOf(id: Value, bytes: PickleBytes): TorchStorage {
  const [kind, type, key, location, elements, ...more] = itemsOf(id) ?? []
  const isStorage = kind === 'storage' && type instanceof Global && type.storage !== undefined && more.length === 0
  if (!isStorage || typeof key !== 'string' || typeof location !== 'string') {
    throw bytes.refused(`refers to ${kindOf(id)} outside of the pickle that is no storage of a tensor`)
  }
  if (typeof elements !== 'number' || elements < 0) throw bytes.broken(`a storage has ${describe(elements)} elements`)
  return new TorchStorage(type.storage!, key, elements)
}

function itemsOf(value: Value | undefined): readonly Value[] | undefined {
  return value instanceof Tuple ? value.items : undefined
}

/** Whether a tensor's backward hooks or metadata are absent. */
function isEmpty(value: Value | undefined): boolean {
  return value === null || (value instanceof Dictionary && value.items.length === 0)
}

export function isTensor(value: Value | undefined): value is TorchTensor {
  return typeof value === 'object' && value !== null && 'strides' in value
}

/** Describes a value in a message: short, whatever the value holds. */
export function kindOf(value: Value): string {
  if (value === null) return 'None'
  if (value instanceof Tuple) return `a tuple of ${value.items.length}`
  if (value instanceof Dictionary) return `a dictionary of ${value.items.length / 2}`
  if (value instanceof Global) return `the name ${value.name}`
  if (value instanceof TorchStorage) return 'a storage'
  return typeof value === 'object'
    ? 'a tensor'
    : `${typeof value === 'string' ? 'the text' : 'the value'} ${describe(value)}`
}
