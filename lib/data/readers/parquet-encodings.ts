/** Walks through packed numbers of Parquet files, to check that they have the stated count and end. */
import { ThriftReader } from './parquet-thrift.js'

/** Delta-coded texts may unpack to this many times the page, or to a size that is harmless. */
const PREFIX_RATIO = 100
const PREFIX_BYTES = 2 ** 27
/** Limit of values in a block of deltas; writers use 128. */
const MAX_BLOCK = 2 ** 20

/**
 * Walks through runs and packed groups of numbers, and counts those that are `counted`.
 * @throws Error when there are not exactly `values` numbers
 */
export function runs(bytes: Uint8Array, from: number, end: number, width: number, values: number, counted?: number) {
  const reader = new ThriftReader(bytes.subarray(0, end), from)
  let seen = 0
  let highest = 0
  while (seen < values) {
    const header = reader.varint()
    if (header >= 2 ** 31) throw new Error('a run of values is too long')
    if (header % 2 === 0) {
      let value = 0
      for (let i = 0; i < Math.ceil(width / 8); i++) value += reader.byte() * 2 ** (8 * i)
      if (header / 2 > values - seen) throw new Error('a run of values is too long')
      seen += header / 2
      if (value === counted) highest += header / 2
    } else {
      const groups = (header - 1) / 2
      const count = Math.min(8 * groups, values - seen)
      if (width === 0 && 8 * groups > values - seen + 7) throw new Error('a run of values is too long')
      if (counted !== undefined) highest += packedCount(bytes, reader.at, end, width, count, counted)
      seen += count
      reader.at = Math.min(end, reader.at + groups * width)
    }
  }
  return { highest }
}

/** How many of `count` numbers of `width` bits (a small width) are `counted`. */
function packedCount(
  bytes: Uint8Array,
  at: number,
  end: number,
  width: number,
  count: number,
  counted: number,
): number {
  if (Math.ceil((count * width) / 8) > end - at) throw new Error('a page ends within its levels')
  const mask = (1 << width) - 1
  let found = 0
  for (let i = 0, bit = 0; i < count; i++, bit += width) {
    const place = at + (bit >> 3)
    const pair = bytes[place]! | ((bytes[place + 1] ?? 0) << 8)
    if (((pair >> (bit & 7)) & mask) === counted) found++
  }
  return found
}

/**
 * Whether the repetition levels of lists (0 where one begins, else 1), which `runs` has walked through, are those of lists of `length`.
 * @param end of the levels, which begin the bytes
 * @param first how many values of the column come before these
 */
export function haveEqualLengths(bytes: Uint8Array, end: number, values: number, first: number, length: number) {
  const reader = new ThriftReader(bytes.subarray(0, end), 0)
  const levelAt = (value: number) => ((first + value) % length === 0 ? 0 : 1)
  for (let seen = 0; seen < values; ) {
    const header = reader.varint()
    if (header % 2 === 0) {
      const level = reader.byte()
      for (const to = seen + header / 2; seen < to; seen++) if (level !== levelAt(seen)) return false
    } else {
      const to = Math.min(seen + 4 * (header - 1), values)
      for (let bit = 0; seen < to; seen++, bit++) {
        if (((bytes[reader.at + (bit >> 3)]! >> (bit & 7)) & 1) !== levelAt(seen)) return false
      }
      reader.at += (header - 1) / 2
    }
  }
  return true
}

/** Walks through blocks of differences and returns where they end. @param visit gets the low 32 bits of each value */
export function deltas(bytes: Uint8Array, from: number, values: number, visit?: (value: number) => void): number {
  const reader = new ThriftReader(bytes, from)
  const block = reader.varint()
  const parts = reader.varint()
  const total = reader.varint()
  let value = reader.zigzag()
  const size = block / parts
  if (block < 1 || block > MAX_BLOCK || !Number.isInteger(size) || size % 8 !== 0 || total !== values) {
    throw new Error(`a page holds ${total} differences in blocks of ${block} in ${parts} parts`)
  }
  visit?.(value)
  let seen = 1
  while (seen < values) {
    const least = reader.zigzag()
    const widths = reader.at
    reader.skip(parts)
    for (let part = 0; part < parts && seen < values; part++) {
      const width = bytes[widths + part]!
      if (width > 64) throw new Error(`a page holds differences of ${width} bits`)
      const start = reader.at
      const count = Math.min(size, values - seen)
      // The last group may be cut off after its last value.
      if (Math.ceil((count * width) / 8) > bytes.length - start) throw new Error('a page ends within its differences')
      if (visit) {
        for (let i = 0; i < count; i++) {
          value = (value + least + packed(bytes, start, i * width, width)) | 0
          visit(value)
        }
      }
      reader.at = Math.min(bytes.length, start + (size * width) / 8)
      seen += count
    }
  }
  return reader.at
}

/** The number of `width` bits that begins at `bit` after `at`. */
function packed(bytes: Uint8Array, at: number, bit: number, width: number): number {
  let value = 0
  for (let i = 0; i < width; i++) {
    const place = bit + i
    if ((bytes[at + (place >> 3)]! >> (place & 7)) & 1) value += 2 ** i
  }
  return value
}

/** Checks texts that are stored as a prefix shared with the previous text, and the rest. */
export function checkPrefixes(bytes: Uint8Array, at: number, values: number): void {
  const prefixes = new Int32Array(values)
  let i = 0
  const middle = deltas(bytes, at, values, (value) => {
    prefixes[i++] = value
  })
  i = 0
  let before = 0
  let all = 0
  deltas(bytes, middle, values, (suffix) => {
    const prefix = prefixes[i++]!
    if (prefix < 0 || suffix < 0 || prefix > before)
      throw new Error('a text shares more with the one before than that has')
    before = prefix + suffix
    all += before
  })
  if (all > bytes.length * PREFIX_RATIO + PREFIX_BYTES) throw new Error('the texts of a page are too long')
}

export function bitWidth(value: number): number {
  return 32 - Math.clz32(value)
}
