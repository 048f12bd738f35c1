/**
 * Reads the pickle of a state dict as torch.save writes it: tensors in dictionaries. A pickle is a program for a stack
 * machine that may name any function of Python. Nothing of it is run here: names are looked up among the few that torch
 * writes, and each of them makes one of the plain values of pickle-values.ts.
 */
import { describe } from '../errors.js'
import { damaged } from './damaged.js'
import { PickleBytes } from './pickle-bytes.js'
import { OPCODE_NAMES } from './pickle-opcodes.js'
import {
  Dictionary,
  type Global,
  globals,
  isTensor,
  kindOf,
  reduce,
  storageOf,
  Tuple,
  type Value,
} from './pickle-values.js'
import { unsupportedTorchFile } from './torch-remedy.js'
import type { TorchTensor } from './torch-values.js'

export type { TorchTensor } from './torch-values.js'

/** Limit of bytes. A tensor takes some 150 bytes of pickle. */
export const MAX_PICKLE_BYTES = 8 * 1024 * 1024
/** Limit of values on the stack and in the memo. A tensor takes some 25 values. */
const MAX_VALUES = 1_000_000
/**
 * The protocol of torch.save. Weights are not written in others, and Python's `weights_only=True` does not read them
 * either.
 */
const PROTOCOL = 2

/**
 * The tensors of a state dict by name.
 * @param path for messages
 * @throws SentenceTorchError ERR_UNSUPPORTED for anything but a dictionary of tensors, ERR_INVALID_FILE for anything but a
 * pickle
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
  readonly #bytes: PickleBytes
  #stack: Value[] = []
  /** The stack's height at each MARK. */
  readonly #marks: number[] = []
  readonly #memo = new Map<number, Value>()
  #count = 0

  constructor(
    bytes: Buffer,
    private readonly path: string,
  ) {
    this.#bytes = new PickleBytes(bytes, path)
  }

  /** @returns the value that the pickle makes */
  run(): Value {
    if (this.#bytes.byte() !== 0x80) throw this.#bytes.broken('it does not begin with PROTO')
    const protocol = this.#bytes.byte()
    if (protocol !== PROTOCOL)
      throw unsupportedTorchFile(this.path, `is of pickle protocol ${protocol}, expected ${PROTOCOL}`)
    for (;;) {
      const code = this.#bytes.byte()
      const name = OPCODE_NAMES.get(code)
      if (name === 'STOP') break
      const made = this.#step(name, code)
      if (made !== undefined) this.#push(made)
    }
    const [root] = this.#stack
    if (this.#stack.length !== 1 || this.#marks.length > 0 || !this.#bytes.isAtEnd) {
      throw this.#bytes.broken('it stops before its end')
    }
    return root!
  }

  /** Runs one opcode, of those that torch.save writes for a state dict. @returns the value to push */
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
        return this.#bytes.int32()
      case 'BININT1':
        return this.#bytes.byte()
      case 'BININT2':
        return this.#bytes.uint16()
      case 'LONG1':
        return this.#bytes.long()
      case 'BINUNICODE':
        return this.#bytes.text()
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
        this.#put(this.#bytes.byte())
        return undefined
      case 'LONG_BINPUT':
        this.#put(this.#bytes.uint32())
        return undefined
      case 'BINGET':
        return this.#get(this.#bytes.byte())
      case 'LONG_BINGET':
        return this.#get(this.#bytes.uint32())
      case 'GLOBAL':
        return this.#global()
      case 'BINPERSID':
        return storageOf(this.#pop(), this.#bytes)
      case 'REDUCE':
        return reduce(...(this.#popSome(2) as [Value, Value]), this.#bytes)
      case 'BUILD':
        return this.#build()
    }
    const byte = `0x${code.toString(16).padStart(2, '0')}`
    if (opcode === undefined) throw this.#bytes.broken(`${byte} is no opcode`)
    throw this.#bytes.refused(`has the pickle opcode ${opcode} (${byte}), which no state dict of tensors needs`)
  }

  #push(value: Value): void {
    this.#tally()
    this.#stack.push(value)
  }

  #tally(): void {
    if (++this.#count > MAX_VALUES) throw this.#bytes.refused(`has a pickle of more than ${MAX_VALUES} values`)
  }

  /** Number of values above the last mark. */
  get #height(): number {
    return this.#stack.length - (this.#marks.at(-1) ?? 0)
  }

  #top(): Value {
    if (this.#height < 1) throw this.#bytes.broken('its stack is empty')
    return this.#stack.at(-1)!
  }

  #pop(): Value {
    return this.#popSome(1)[0]!
  }

  #popSome(count: number): Value[] {
    if (this.#height < count) throw this.#bytes.broken('its stack is empty')
    return this.#stack.splice(-count)
  }

  #popToMark(): Value[] {
    const mark = this.#marks.pop()
    if (mark === undefined) throw this.#bytes.broken('there is no MARK')
    return this.#stack.splice(mark)
  }

  #put(index: number): void {
    this.#tally()
    this.#memo.set(index, this.#top())
  }

  #get(index: number): Value {
    const value = this.#memo.get(index)
    if (value === undefined) throw this.#bytes.broken(`nothing was kept as ${index}`)
    return value
  }

  #setItems(items: readonly Value[]): void {
    const target = this.#top()
    if (!(target instanceof Dictionary)) throw this.#bytes.broken(`${kindOf(target)} takes no items`)
    if (items.length % 2 !== 0) throw this.#bytes.broken('a key has no value')
    for (const [i, item] of items.entries()) {
      if (i % 2 === 0 && typeof item !== 'string')
        throw this.#bytes.refused(`has ${kindOf(item)} as a key, expected a text`)
      target.items.push(item)
    }
  }

  #global(): Global {
    const name = `${this.#bytes.line()}.${this.#bytes.line()}`
    const known = globals.get(name)
    if (known) return known
    throw this.#bytes.refused(`calls for ${describe(name)} of Python, which is not run: weights need tensors alone`)
  }

  /** `state_dict()` gives its dictionary the attribute `_metadata`, the modules' versions, which are not needed. */
  #build(): Value {
    const [target, state] = this.#popSome(2) as [Value, Value]
    if (!(target instanceof Dictionary && target.isOrdered && state instanceof Dictionary)) {
      throw this.#bytes.refused(`gives attributes to ${kindOf(target)}, expected an OrderedDict`)
    }
    return target
  }
}
