/**
 * Checks the pages of a Parquet column before hyparquet reads them. hyparquet trusts the counts in them: a run that
 * claims a billion values, or a block of negative length, would take all memory or never end.
 */
import { bitWidth, checkPrefixes, deltas, runs } from './parquet-encodings.js'
import { ThriftReader } from './parquet-thrift.js'

/** A column of values, which may be part of a nested one. */
export interface Leaf {
  /** Highest levels; 0: the page has none. */
  repetition: number
  definition: number
  isNested: boolean
  isBoolean: boolean
  /** Bytes of a value of fixed size. */
  width: number
}

export interface Page {
  kind: 'data' | 'data 2' | 'dictionary'
  values: number
  nulls: number
  encoding: number
  /** Bytes of levels before the values, in pages of version 2. */
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

/** Bytes that further pages may unpack to. */
export interface Budget {
  left: number
}

/**
 * The pages of a column chunk.
 * @param mostValues limit for all its pages together
 * @throws Error with the problem
 */
export function pagesOf(chunk: Uint8Array, leaf: Leaf, mostValues: number, budget: Budget): Page[] {
  const pages: Page[] = []
  let values = 0
  // The last byte is padding.
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

/** @param bytes the unpacked page; in version 2 without the levels */
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

/** Reads levels after their length. Of the highest level there are `highest`. */
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
        // A dictionary of one value needs no bits, and some writers then write no runs.
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
