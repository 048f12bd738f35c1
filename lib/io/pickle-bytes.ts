import type { SentenceTorchError } from '../errors.js'
import { damaged } from './damaged.js'
import { unsupportedTorchFile } from './torch-remedy.js'

/** Reads a pickle's bytes from front to back. No read goes past the end. Errors name the file and the byte. */
export class PickleBytes {
  #at = 0

  constructor(
    private readonly bytes: Buffer,
    private readonly path: string,
  ) {}

  get isAtEnd(): boolean {
    return this.#at === this.bytes.length
  }

  byte(): number {
    return this.#take(1)[0]!
  }

  uint16(): number {
    return this.#take(2).readUInt16LE()
  }

  uint32(): number {
    return this.#take(4).readUInt32LE()
  }

  int32(): number {
    return this.#take(4).readInt32LE()
  }

  /** An integer in two's complement, after a byte that gives its length. */
  long(): number {
    const bytes = this.#take(this.byte())
    const value = bytes.length <= 8 ? BigInt.asIntN(bytes.length * 8, littleEndian(bytes)) : undefined
    const number = Number(value ?? Number.NaN)
    if (Number.isSafeInteger(number)) return number
    throw this.broken('a number is too large for a size')
  }

  /** A line of ASCII, as names of modules and functions are. */
  line(): string {
    const end = this.bytes.indexOf(0x0a, this.#at)
    if (end < 0) throw this.broken('it breaks off')
    const line = this.#take(end - this.#at).toString('latin1')
    this.#take(1)
    return line
  }

  /** UTF-8, after four bytes that give its length. */
  text(): string {
    const bytes = this.#take(this.uint32())
    try {
      return decoder.decode(bytes)
    } catch {
      throw this.broken('a text is no UTF-8')
    }
  }

  /** The error for bytes that torch.save does not write. */
  broken(problem: string): SentenceTorchError {
    return damaged(this.path, `its pickle is none of torch.save: ${problem}, at byte ${this.#at}`)
  }

  /** The error for a pickle that needs more than tensors and dictionaries. */
  refused(what: string): SentenceTorchError {
    return unsupportedTorchFile(this.path, `${what} (at byte ${this.#at} of its pickle)`)
  }

  #take(length: number): Buffer {
    const end = this.#at + length
    if (end > this.bytes.length) throw this.broken('it breaks off')
    const taken = this.bytes.subarray(this.#at, end)
    this.#at = end
    return taken
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function littleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => value * 256n + BigInt(byte), 0n)
}
