/**
 * Reads Parquet's headers (Thrift's compact protocol) within their bytes. hyparquet trusts headers: a varint of a
 * megabyte, or a list that claims a billion entries, would keep it busy for hours.
 */

const STOP = 0
const BYTE = 3
const DOUBLE = 7
const BINARY = 8
const LIST = 9
const STRUCT = 12

/** Limit of nesting. Parquet's own headers need half of it. */
const MAX_NESTING = 16
const VARINT_BYTES = 10

/** Whole numbers of a struct and its nested structs, by field number. */
export interface Fields {
  numbers: Map<number, number>
  structs: Map<number, Fields>
}

export class ThriftReader {
  constructor(
    private readonly bytes: Uint8Array,
    public at: number,
  ) {}

  /** Reads a struct. @throws Error for bytes that are not one */
  struct(nesting = 0): Fields {
    checkNesting(nesting)
    const fields: Fields = { numbers: new Map(), structs: new Map() }
    let field = 0
    for (;;) {
      const byte = this.byte()
      const type = byte & 0x0f
      if (type === STOP) return fields
      field = byte >> 4 === 0 ? this.zigzag() : field + (byte >> 4)
      if (type === STRUCT) fields.structs.set(field, this.struct(nesting + 1))
      else {
        const value = this.value(type, nesting)
        if (value !== undefined) fields.numbers.set(field, value)
      }
    }
  }

  private value(type: number, nesting: number): number | undefined {
    if (type < BYTE) return type === 1 ? 1 : 0
    if (type === BYTE) return this.byte()
    if (type < DOUBLE) return this.zigzag()
    if (type === DOUBLE) this.skip(8)
    else if (type === BINARY) this.skip(this.varint())
    else if (type === LIST) this.list(nesting)
    else throw new Error(`its headers hold a value of the unknown type ${type}`)
    return undefined
  }

  private list(nesting: number): void {
    checkNesting(nesting)
    const byte = this.byte()
    const type = byte & 0x0f
    const count = byte >> 4 === 15 ? this.varint() : byte >> 4
    // Every entry takes at least one byte.
    if (count > this.bytes.length - this.at) throw new Error(`its headers hold a list of ${count} values`)
    for (let i = 0; i < count; i++) {
      if (type === STRUCT) this.struct(nesting + 1)
      else if (type < BYTE) this.byte()
      else this.value(type, nesting + 1)
    }
  }

  /** An unsigned number. Beyond 2^53 it is not exact. */
  varint(): number {
    let value = 0
    for (let i = 0; i < VARINT_BYTES; i++) {
      const byte = this.byte()
      value += (byte & 0x7f) * 2 ** (7 * i)
      if (byte < 0x80) return value
    }
    throw new Error('its headers hold a number of more than 64 bits')
  }

  zigzag(): number {
    const value = this.varint()
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }

  skip(bytes: number): void {
    if (bytes > this.bytes.length - this.at) throw new Error('its headers go on behind their end')
    this.at += bytes
  }

  byte(): number {
    if (this.at >= this.bytes.length) throw new Error('its headers go on behind their end')
    return this.bytes[this.at++]!
  }
}

function checkNesting(nesting: number): void {
  if (nesting > MAX_NESTING) throw new Error('its headers are nested too deep')
}
