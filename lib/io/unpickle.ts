/**
 * Reads the pickle of a state dict as torch.save writes it: tensors in dictionaries, and nothing that could be run. A pickle is
 * a program for a stack machine that may name any function of Python. Here a name is looked up among those few that torch
 * writes, and each of them makes one of the plain values below.
 */
import { describe, type SentenceTorchError } from '../errors.js'
import { damaged } from './damaged.js'
import { OPCODE_NAMES } from './pickle-opcodes.js'
import { unsupportedTorchFile } from './torch-remedy.js'
import { rebuildTensor, type StorageType, storageTypes, TorchStorage, type TorchTensor } from './torch-values.js'

export type { TorchTensor } from './torch-values.js'

/** Some 150 bytes of pickle belong to a tensor. */
export const MAX_PICKLE_BYTES = 8 * 1024 * 1024
/** What the machine may put on its stack and into its memo; some 25 values belong to a tensor. */
const MAX_VALUES = 1_000_000
/** The protocol of torch.save. Others are not written for weights, nor read by Python's `weights_only=True`. */
const PROTOCOL = 2

class Tuple {
  constructor(readonly items: readonly Value[]) {}
}

/** A dict, or an OrderedDict: keys and values by turns. */
class Dictionary {
  readonly items: Value[] = []

  constructor(readonly isOrdered: boolean) {}
}

/** A function or class that a pickle may name. */
class Global {
  constructor(
    readonly name: string,
    readonly storage?: StorageType,
  ) {}
}

type Value = null | boolean | number | string | Tuple | Dictionary | Global | TorchStorage | TorchTensor

const ORDERED_DICT = 'collections.OrderedDict'
const REBUILD_TENSOR = 'torch._utils._rebuild_tensor_v2'
const REBUILD_PARAMETER = 'torch._utils._rebuild_parameter'
const globals: ReadonlyMap<string, Global> = new Map([
  ...[ORDERED_DICT, REBUILD_TENSOR, REBUILD_PARAMETER].map((name) => [name, new Global(name)] as const),
  ...Object.entries(storageTypes).map(([name, type]) => [`torch.${name}`, new Global(`torch.${name}`, type)] as const),
])

/**
 * The tensors of a state dict by their names.
 * @param path for messages
 * @throws SentenceTorchError ERR_UNSUPPORTED for what is no dictionary of tensors, ERR_INVALID_FILE for what is no pickle
 */
export function unpickleStateDict(bytes: Buffer, path: string): Map<string, TorchTensor> {
  const root = new Unpickler(bytes, path).run()
  if (!(root instanceof Dictionary)) throw unsupportedTorchFile(path, `holds ${kindOf(root)} instead of a state dict`)
  const tensors = new Map<string, TorchTensor>()
  for (let i = 0; i < root.items.length; i += 2) {
    const [name, tensor] = [root.items[i] as string, root.items[i + 1]!]
    if (!isTensor(tensor)) {
      throw unsupportedTorchFile(
        path,
        `holds ${kindOf(tensor)} as ${describe(name)}, where a state dict has tensors alone`,
      )
    }
    if (tensors.has(name)) throw damaged(path, `tensor ${describe(name)} comes twice`)
    tensors.set(name, tensor)
  }
  return tensors
}

class Unpickler {
  #at = 0
  #stack: Value[] = []
  /** Heights of the stack at which its MARKs lie. */
  readonly #marks: number[] = []
  readonly #memo = new Map<number, Value>()
  #count = 0

  constructor(
    private readonly bytes: Buffer,
    private readonly path: string,
  ) {}

  /** What the pickle makes. */
  run(): Value {
    if (this.#byte() !== 0x80) throw this.#broken('it does not begin with PROTO')
    const protocol = this.#byte()
    if (protocol !== PROTOCOL)
      throw unsupportedTorchFile(this.path, `is of pickle protocol ${protocol}, expected ${PROTOCOL}`)
    for (;;) {
      const code = this.#byte()
      const name = OPCODE_NAMES.get(code)
      if (name === 'STOP') break
      const made = this.#step(name, code)
      if (made !== undefined) this.#push(made)
    }
    const [root] = this.#stack
    if (this.#stack.length !== 1 || this.#marks.length > 0 || this.#at !== this.bytes.length) {
      throw this.#broken('it stops before its end')
    }
    return root!
  }

  /** Runs one opcode, of those that torch.save writes for a state dict. @returns what goes onto the stack */
  #step(opcode: string | undefined, code: number): Value | undefined {
    switch (opcode) {
      case 'MARK':
        this.#tally()
        this.#marks.push(this.#stack.length)
        return undefined
      case 'NONE':
        return null
      case 'NEWTRUE':
        return true
      case 'NEWFALSE':
        return false
      case 'BININT':
        return this.#take(4).readInt32LE()
      case 'BININT1':
        return this.#byte()
      case 'BININT2':
        return this.#take(2).readUInt16LE()
      case 'LONG1':
        return this.#long()
      case 'BINUNICODE':
        return this.#text()
      case 'EMPTY_TUPLE':
        return new Tuple([])
      case 'TUPLE1':
      case 'TUPLE2':
      case 'TUPLE3':
        return new Tuple(this.#popSome(Number(opcode.at(-1))))
      case 'TUPLE':
        return new Tuple(this.#popToMark())
      case 'EMPTY_DICT':
        return new Dictionary(false)
      case 'SETITEM':
        this.#setItems(this.#popSome(2))
        return undefined
      case 'SETITEMS':
        this.#setItems(this.#popToMark())
        return undefined
      case 'BINPUT':
        this.#put(this.#byte())
        return undefined
      case 'LONG_BINPUT':
        this.#put(this.#take(4).readUInt32LE())
        return undefined
      case 'BINGET':
        return this.#get(this.#byte())
      case 'LONG_BINGET':
        return this.#get(this.#take(4).readUInt32LE())
      case 'GLOBAL':
        return this.#global()
      case 'BINPERSID':
        return this.#storage(this.#pop())
      case 'REDUCE':
        return this.#reduce()
      case 'BUILD':
        return this.#build()
    }
    const byte = `0x${code.toString(16).padStart(2, '0')}`
    if (opcode === undefined) throw this.#broken(`${byte} is no opcode`)
    throw this.#refused(`has the pickle opcode ${opcode} (${byte}), which no state dict of tensors needs`)
  }

  #push(value: Value): void {
    this.#tally()
    this.#stack.push(value)
  }

  #tally(): void {
    if (++this.#count > MAX_VALUES) throw this.#refused(`has a pickle of more than ${MAX_VALUES} values`)
  }

  /** Values above the last mark. */
  get #height(): number {
    return this.#stack.length - (this.#marks.at(-1) ?? 0)
  }

  #top(): Value {
    if (this.#height < 1) throw this.#broken('its stack is empty')
    return this.#stack.at(-1)!
  }

  #pop(): Value {
    return this.#popSome(1)[0]!
  }

  #popSome(count: number): Value[] {
    if (this.#height < count) throw this.#broken('its stack is empty')
    return this.#stack.splice(-count)
  }

  #popToMark(): Value[] {
    const mark = this.#marks.pop()
    if (mark === undefined) throw this.#broken('there is no MARK')
    return this.#stack.splice(mark)
  }

  #put(index: number): void {
    this.#tally()
    this.#memo.set(index, this.#top())
  }

  #get(index: number): Value {
    const value = this.#memo.get(index)
    if (value === undefined) throw this.#broken(`nothing was kept as ${index}`)
    return value
  }

  #setItems(items: readonly Value[]): void {
    const target = this.#top()
    if (!(target instanceof Dictionary)) throw this.#broken(`${kindOf(target)} takes no items`)
    if (items.length % 2 !== 0) throw this.#broken('a key has no value')
    for (const [i, item] of items.entries()) {
      if (i % 2 === 0 && typeof item !== 'string') throw this.#refused(`has ${kindOf(item)} as a key, expected a text`)
      target.items.push(item)
    }
  }

  #global(): Global {
    const name = `${this.#line()}.${this.#line()}`
    const known = globals.get(name)
    if (known) return known
    throw this.#refused(`calls for ${describe(name)} of Python, which is not run: weights need tensors alone`)
  }

  #reduce(): Value {
    const [callee, args] = this.#popSome(2) as [Value, Value]
    if (!(callee instanceof Global) || callee.storage || !(args instanceof Tuple)) {
      throw this.#broken(`${kindOf(callee)} cannot be called with ${kindOf(args)}`)
    }
    return this.#call(callee.name, args.items)
  }

  #call(name: string, args: readonly Value[]): Value {
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
        throw this.#broken(tensor)
      }
    }
    const given = args.slice(0, 8).map(kindOf).join(', ')
    throw this.#refused(`calls ${name} with what torch does not give it (${given})`)
  }

  /** `('storage', type, key, location, elements)`. */
  #storage(id: Value): TorchStorage {
    const [kind, type, key, location, elements, ...more] = itemsOf(id) ?? []
    const isStorage = kind === 'storage' && type instanceof Global && type.storage !== undefined && more.length === 0
    if (!isStorage || typeof key !== 'string' || typeof location !== 'string') {
      throw this.#refused(`refers to ${kindOf(id)} outside of the pickle that is no storage of a tensor`)
    }
    if (typeof elements !== 'number' || elements < 0) throw this.#broken(`a storage has ${describe(elements)} elements`)
    return new TorchStorage(type.storage!, key, elements)
  }

  /** `state_dict()` gives its dictionary the attribute `_metadata`, versions of modules: of no use here. */
  #build(): Value {
    const [target, state] = this.#popSome(2) as [Value, Value]
    if (!(target instanceof Dictionary && target.isOrdered && state instanceof Dictionary)) {
      throw this.#refused(`gives attributes to ${kindOf(target)}, expected an OrderedDict`)
    }
    return target
  }

  #byte(): number {
    const byte = this.bytes[this.#at]
    if (byte === undefined) throw this.#broken('it breaks off')
    this.#at++
    return byte
  }

  #take(length: number): Buffer {
    const end = this.#at + length
    if (end > this.bytes.length) throw this.#broken('it breaks off')
    const taken = this.bytes.subarray(this.#at, end)
    this.#at = end
    return taken
  }

  /** A line of ASCII, as names of modules and functions are. */
  #line(): string {
    const end = this.bytes.indexOf(0x0a, this.#at)
    if (end < 0) throw this.#broken('it breaks off')
    const line = this.#take(end - this.#at).toString('latin1')
    this.#take(1)
    return line
  }

  #text(): string {
    const bytes = this.#take(this.#take(4).readUInt32LE())
    try {
      return decoder.decode(bytes)
    } catch {
      throw this.#broken('a text is no UTF-8')
    }
  }

  /** A number of as many bytes as it needs, two's complement. */
  #long(): number {
    const bytes = this.#take(this.#byte())
    const value = bytes.length <= 8 ? BigInt.asIntN(bytes.length * 8, littleEndian(bytes)) : undefined
    const number = Number(value ?? Number.NaN)
    if (Number.isSafeInteger(number)) return number
    throw this.#broken('a number is too large for a size')
  }

  #broken(problem: string): SentenceTorchError {
    return damaged(this.path, `its pickle is none of torch.save: ${problem}, at byte ${this.#at}`)
  }

  #refused(what: string): SentenceTorchError {
    return unsupportedTorchFile(this.path, `${what} (at byte ${this.#at} of its pickle)`)
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function littleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => value * 256n + BigInt(byte), 0n)
}

function itemsOf(value: Value | undefined): readonly Value[] | undefined {
  return value instanceof Tuple ? value.items : undefined
}

/** Whether backward hooks, or a tensor's own metadata, are none. */
function isEmpty(value: Value | undefined): boolean {
  return value === null || (value instanceof Dictionary && value.items.length === 0)
}

function isTensor(value: Value | undefined): value is TorchTensor {
  return typeof value === 'object' && value !== null && 'strides' in value
}

/** In words for a message, short whatever it holds. */
function kindOf(value: Value): string {
  if (value === null) return 'None'
  if (value instanceof Tuple) return `a tuple of ${value.items.length}`
  if (value instanceof Dictionary) return `a dictionary of ${value.items.length / 2}`
  if (value instanceof Global) return `the name ${value.name}`
  if (value instanceof TorchStorage) return 'a storage'
  return typeof value === 'object'
    ? 'a tensor'
    : `${typeof value === 'string' ? 'the text' : 'the value'} ${describe(value)}`
}
