/**
 * Checks the pages of a Parquet column before the package that reads them sees them: it trusts the counts in them, and a run that
 * says it has a billion values, or a block of a negative length, would take all memory or never end.
 */
import { ThriftReader } from './parquet-thrift.js'

/** A column of values, which may be a part of a nested one. */
export interface Leaf {
  /** Highest levels; 0: the page has none. */
  repetition: number
  definition: number
  isNested: boolean
  isBoolean: boolean
  /** Bytes of a value that has a fixed number of them. */
  width: number
}

export interface Page {
  kind: 'data' | 'data 2' | 'dictionary'
  values: number
  nulls: number
  encoding: number
  /** Bytes of levels in front of the values, of pages of version 2. */
  repetitionBytes: number
  definitionBytes: number
  isCompressed: boolean
  unpackedBytes: number
  /** Its bytes, as they are stored. */
  bytes: Uint8Array
}

const PLAIN_DICTIONARY = 2
const RLE = 3
const DELTA_BINARY_PACKED = 5
const DELTA_LENGTH_BYTE_ARRAY = 6
const DELTA_BYTE_ARRAY = 7
const RLE_DICTIONARY = 8
const BYTE_STREAM_SPLIT = 9

/** What texts that are stored by what they share with the one before may come to: this many times the page, and what is harmless. */
const PREFIX_RATIO = 100
const PREFIX_BYTES = 2 ** 27
/** Values in a block of deltas; writers use 128. */
const MAX_BLOCK = 2 ** 20

/** Bytes that pages may still unpack to. */
export interface Budget {
  left: number
}

/**
 * The pages of a column chunk.
 * @param mostValues of all its pages together
 * @throws Error saying what is wrong
 */
export function pagesOf(chunk: Uint8Array, leaf: Leaf, mostValues: number, budget: Budget): Page[] {
  const pages: Page[] = []
  let values = 0
  // A last byte is padding.
  for (let at = 0; at < chunk.length - 1 && (leaf.isNested || values < mostValues); ) {
    const reader = new ThriftReader(chunk, at)
    const page = pageAt(reader, chunk)
    at = reader.at + page.bytes.length
    if (page.kind !== 'dictionary') values += page.values
    budget.left -= page.unpackedBytes
    if (values > mostValues || page.values > mostValues)
      throw new Error(`a column has more than its ${mostValues} values`)
    if (budget.left < 0) throw new Error('it unpacks to far more than its size')
    pages.push(page)
  }
  if (values < mostValues) throw new Error(`a column has ${values} of its ${mostValues} values`)
  return pages
}

function pageAt(reader: ThriftReader, chunk: Uint8Array): Page {
  const header = reader.struct()
  const count = (value: number | undefined, otherwise?: number) => {
    const found = value ?? otherwise
    if (found === undefined || found < 0 || found >= 2 ** 31) throw new Error(`a page holds the number ${found}`)
    return found
  }
  const type = header.numbers.get(1)
  const stored = count(header.numbers.get(3))
  if (stored > chunk.length - reader.at) throw new Error('a page goes on behind the end of its column')
  const [kind, number] =
    type === 0 ? (['data', 5] as const) : type === 2 ? (['dictionary', 7] as const) : (['data 2', 8] as const)
  const own = header.structs.get(number)
  if (!own || (kind === 'data 2' && type !== 3)) throw new Error(`a page is of the unknown type ${type}`)
  const isSecond = kind === 'data 2'
  const page: Page = {
    kind,
    values: count(own.numbers.get(1)),
    nulls: isSecond ? count(own.numbers.get(2)) : 0,
    encoding: count(own.numbers.get(isSecond ? 4 : 2)),
    definitionBytes: isSecond ? count(own.numbers.get(5)) : 0,
    repetitionBytes: isSecond ? count(own.numbers.get(6)) : 0,
    isCompressed: !isSecond || own.numbers.get(7) !== 0,
    unpackedBytes: count(header.numbers.get(2)),
    bytes: chunk.subarray(reader.at, reader.at + stored),
  }
  if (page.nulls > page.values || page.repetitionBytes + page.definitionBytes > Math.min(stored, page.unpackedBytes)) {
    throw new Error('a page has more levels than values')
  }
  return page
}

/** @param bytes what the page holds, unpacked; of version 2 without the levels */
export function checkContent(page: Page, leaf: Leaf, bytes: Uint8Array): void {
  if (page.kind === 'dictionary') return
  let at = 0
  let present = page.values - page.nulls
  if (page.kind === 'data') {
    if (leaf.repetition > 0) at = levels(bytes, at, leaf.repetition, page.values).end
    if (leaf.definition > 0) {
      const found = levels(bytes, at, leaf.definition, page.values)
      at = found.end
      present = found.highest
    }
  }
  checkValues(page.encoding, leaf, bytes, at, present)
}

/** Checks the levels of a page of version 2, which are never compressed. */
export function checkLevels(page: Page, leaf: Leaf): void {
  const { bytes, values, repetitionBytes, definitionBytes } = page
  if (leaf.repetition > 0) runs(bytes, 0, repetitionBytes, bitWidth(leaf.repetition), values)
  const end = repetitionBytes + definitionBytes
  if (leaf.definition === 0) return
  const { highest } = runs(bytes, repetitionBytes, end, bitWidth(leaf.definition), values, leaf.definition)
  if (highest !== values - page.nulls) throw new Error('the levels of a page are not those of its values')
}

/** Levels with their length in front; of those of the highest level there are `highest`. */
function levels(bytes: Uint8Array, at: number, most: number, values: number): { end: number; highest: number } {
  const start = at + 4
  if (start > bytes.length) throw new Error('a page ends within its levels')
  const end = start + new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true)
  if (end > bytes.length) throw new Error('a page ends within its levels')
  return { end, highest: runs(bytes, start, end, bitWidth(most), values, most).highest }
}

function checkValues(encoding: number, leaf: Leaf, bytes: Uint8Array, at: number, values: number): void {
  switch (encoding) {
    case PLAIN_DICTIONARY:
    case RLE_DICTIONARY:
      if (leaf.isBoolean) throw new Error('a page holds numbers in place of true and false')
      if (values > 0 || at < bytes.length) {
        if (at >= bytes.length) throw new Error('a page ends in front of its values')
        const width = bytes[at]!
        if (width > 32) throw new Error(`a page holds numbers of ${width} bits`)
        // A dictionary of one value needs no bits, and some writers then no runs.
        if (width > 0) runs(bytes, at + 1, bytes.length, width, values)
        else if (at + 1 < bytes.length) runs(bytes, at + 1, bytes.length, 0, values)
      }
      return
    case RLE: {
      if (!leaf.isBoolean) throw new Error('a page holds runs of values')
      levels(bytes, at, 1, values)
      return
    }
    case DELTA_BINARY_PACKED:
    case DELTA_LENGTH_BYTE_ARRAY:
      if (values > 0) deltas(bytes, at, values)
      return
    case DELTA_BYTE_ARRAY:
      if (values > 0) checkPrefixes(bytes, at, values)
      return
    case BYTE_STREAM_SPLIT:
      if (values * leaf.width > bytes.length - at) throw new Error('a page ends within its values')
  }
}

/**
 * Goes through runs of equal numbers and packed ones, and counts those that are `counted`.
 * @throws Error when they are other than `values`
 */
function runs(bytes: Uint8Array, from: number, end: number, width: number, values: number, counted?: number) {
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

/** How many of `count` numbers of `width` bits (few) are `counted`. */
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

/** Goes through blocks of differences; gives where they end. @param visit is told the values, as far as 32 bits hold them */
function deltas(bytes: Uint8Array, from: number, values: number, visit?: (value: number) => void): number {
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
      // The last part may be cut off behind its last value.
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

/** The number of `width` bits that begins at `bit` behind `at`. */
function packed(bytes: Uint8Array, at: number, bit: number, width: number): number {
  let value = 0
  for (let i = 0; i < width; i++) {
    const place = bit + i
    if ((bytes[at + (place >> 3)]! >> (place & 7)) & 1) value += 2 ** i
  }
  return value
}

/** Checks texts that are stored as what they share with the one before, and the rest. */
function checkPrefixes(bytes: Uint8Array, at: number, values: number): void {
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

function bitWidth(value: number): number {
  return 32 - Math.clz32(value)
}
