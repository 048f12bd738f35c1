/** A field of a protocol-buffer message. Source: https://protobuf.dev/programming-guides/encoding. */
type Field = Uint8Array

const VARINT = 0
const FIXED64 = 1
const LENGTH = 2
const FIXED32 = 5

export function message(...fields: Field[]): Uint8Array {
  return Buffer.concat(fields)
}

/** @param value a whole number from 0 to 2^53 - 1 */
export function uintField(number: number, value: number): Field {
  return Buffer.concat([tag(number, VARINT), varint(value)])
}

export function doubleField(number: number, value: number): Field {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleLE(value)
  return Buffer.concat([tag(number, FIXED64), bytes])
}

export function floatField(number: number, value: number): Field {
  const bytes = Buffer.alloc(4)
  bytes.writeFloatLE(value)
  return Buffer.concat([tag(number, FIXED32), bytes])
}

/** A field of type string, bytes or message. */
export function bytesField(number: number, value: string | Uint8Array): Field {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value
  return Buffer.concat([tag(number, LENGTH), varint(bytes.length), bytes])
}

function tag(number: number, wireType: number): Uint8Array {
  return varint(number * 8 + wireType)
}

function varint(value: number): Uint8Array {
  const bytes: number[] = []
  let rest = value
  while (rest >= 128) {
    bytes.push((rest % 128) + 128)
    rest = Math.floor(rest / 128)
  }
  bytes.push(rest)
  return Uint8Array.from(bytes)
}
