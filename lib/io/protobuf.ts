/**
 * Messages in the wire format of Protocol Buffers, written field by field. What is large comes when the file is written: only its
 * length is known before.
 * Source: https://protobuf.dev/programming-guides/encoding
 */

/** Bytes that are made while the message is written. */
export interface LaterBytes {
  byteLength: number
  data: () => AsyncIterable<Uint8Array>
}

const VARINT = 0
const LENGTH = 2
const FIXED32 = 5

/** A message under construction. Fields are written in the order of the calls. */
export class ProtoMessage {
  readonly #parts: (Uint8Array | LaterBytes)[] = []
  #byteLength = 0

  /** Of the whole message, with what comes later. */
  get byteLength(): number {
    return this.#byteLength
  }

  /** An int64 or enum: a whole number of at most 53 bits. */
  integer(field: number, value: number): this {
    return this.#tag(field, VARINT).#push(varint(value))
  }

  /** A float. */
  number(field: number, value: number): this {
    const bytes = new Uint8Array(4)
    new DataView(bytes.buffer).setFloat32(0, value, true)
    return this.#tag(field, FIXED32).#push(bytes)
  }

  text(field: number, value: string): this {
    return this.bytes(field, new TextEncoder().encode(value))
  }

  bytes(field: number, value: Uint8Array | LaterBytes): this {
    return this.#tag(field, LENGTH).#push(varint(value.byteLength)).#push(value)
  }

  /** Another message as a field. */
  message(field: number, value: ProtoMessage): this {
    this.#tag(field, LENGTH).#push(varint(value.byteLength))
    for (const part of value.#parts) this.#push(part)
    return this
  }

  /** The bytes, piece by piece. @throws RangeError where what comes later has another length than it said */
  async *encode(): AsyncGenerator<Uint8Array> {
    let small: Uint8Array[] = []
    for (const part of this.#parts) {
      if (part instanceof Uint8Array) {
        small.push(part)
        continue
      }
      yield Buffer.concat(small)
      small = []
      yield* exactly(part)
    }
    yield Buffer.concat(small)
  }

  #tag(field: number, type: number): this {
    return this.#push(varint(field * 8 + type))
  }

  #push(part: Uint8Array | LaterBytes): this {
    this.#parts.push(part)
    this.#byteLength += part.byteLength
    return this
  }
}

/** @throws RangeError where there are more or fewer bytes than said */
export async function* exactly({ byteLength, data }: LaterBytes): AsyncGenerator<Uint8Array> {
  let left = byteLength
  for await (const piece of data()) {
    left -= piece.byteLength
    if (left < 0) break
    yield piece
  }
  if (left !== 0) throw new RangeError(`Expected ${byteLength} bytes, found ${byteLength - left}`)
}

/** Seven bits a byte, the lowest first; negative numbers in two's complement of 64 bits. */
function varint(value: number): Uint8Array {
  const bytes: number[] = []
  let rest = BigInt.asUintN(64, BigInt(value))
  while (rest >= 128n) {
    bytes.push(Number(rest & 127n) + 128)
    rest >>= 7n
  }
  bytes.push(Number(rest))
  return Uint8Array.from(bytes)
}
