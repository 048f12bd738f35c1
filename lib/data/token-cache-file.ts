import type { FileHandle } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { TimeSlice } from './time-slice.js'

/**
 * A file of a token cache, all numbers little-endian:
 *
 *     0   8  magic
 *     8  32  key: SHA-256 of the texts, the tokenizer and the maximum length
 *    40   8  rows (float64)
 *    48   8  where the index begins (float64)
 *    56   4  CRC-32 of the index
 *    60   4  CRC-32 of the bytes before
 *    64      tokens of the rows, in any order: 2 bytes each where all of a row fit, else 4
 *            index: place (float64), count and width (uint32), CRC-32 (uint32), each for all rows
 */
export const MAGIC = 'STTOKEN1'
export const HEADER_BYTES = 64
/** Count of an absent row. */
export const ABSENT = 0xffffffff
/** Set in the count of a row with 4 bytes a token. */
const WIDE = 0x80000000

const CHUNK_BYTES = 1 << 20

export class TokenIndex {
  readonly places: Float64Array
  readonly counts: Uint32Array
  readonly checksums: Uint32Array

  constructor(readonly rows: number) {
    this.places = new Float64Array(rows)
    this.counts = new Uint32Array(rows).fill(ABSENT)
    this.checksums = new Uint32Array(rows)
  }

  bytesOf(row: number): number {
    const count = this.counts[row]!
    return count >= WIDE ? (count - WIDE) * 4 : count * 2
  }

  /** The token ids of a row from its bytes; undefined when they are damaged. */
  decode(row: number, bytes: Uint8Array): Int32Array | undefined {
    if (crc32(bytes) !== this.checksums[row]) return undefined
    // A copy: views need aligned bytes.
    const { buffer } = Uint8Array.from(bytes)
    return new Int32Array(this.counts[row]! >= WIDE ? buffer : new Uint16Array(buffer))
  }

  /** The bytes of `ids`, entered as row `row` at `place`. */
  encode(row: number, ids: Int32Array, place: number): Uint8Array {
    let narrow = true
    for (let i = 0; i < ids.length && narrow; i++) narrow = ids[i]! >>> 16 === 0
    const bytes = new Uint8Array((narrow ? new Uint16Array(ids) : ids.slice()).buffer)
    this.places[row] = place
    this.counts[row] = narrow ? ids.length : ids.length + WIDE
    this.checksums[row] = crc32(bytes)
    return bytes
  }

  /** Writes header and index around the tokens, which end at `end`. */
  async write(file: FileHandle, key: Uint8Array, end: number): Promise<void> {
    let place = end
    let checksum = 0
    for (const chunk of this.chunks()) {
      checksum = crc32(chunk, checksum)
      await file.write(chunk, 0, chunk.length, place)
      place += chunk.length
    }
    const header = new Uint8Array(HEADER_BYTES)
    const view = new DataView(header.buffer)
    header.set(new TextEncoder().encode(MAGIC), 0)
    header.set(key, 8)
    view.setFloat64(40, this.rows, true)
    view.setFloat64(48, end, true)
    view.setUint32(56, checksum, true)
    view.setUint32(60, crc32(header.subarray(0, 60)), true)
    // Cuts off the rest of a longer index.
    await file.truncate(place)
    await file.write(header, 0, HEADER_BYTES, 0)
  }

  /** The index of a whole file with this key and number of rows, and its position; undefined for any other file. */
  static async read(
    file: FileHandle,
    key: Uint8Array,
    rows: number,
  ): Promise<{ index: TokenIndex; end: number } | undefined> {
    const header = new Uint8Array(HEADER_BYTES)
    const { bytesRead } = await file.read(header, 0, HEADER_BYTES, 0)
    const view = new DataView(header.buffer)
    const isOurs =
      bytesRead === HEADER_BYTES &&
      new TextDecoder('latin1').decode(header.subarray(0, 8)) === MAGIC &&
      crc32(header.subarray(0, 60)) === view.getUint32(60, true) &&
      Buffer.compare(header.subarray(8, 40), key) === 0 &&
      view.getFloat64(40, true) === rows
    if (!isOurs) return undefined
    const end = view.getFloat64(48, true)
    if (!Number.isSafeInteger(end)) return undefined
    const index = new TokenIndex(rows)
    const slice = new TimeSlice()
    let place = end
    let checksum = 0
    for (const chunk of index.chunks()) {
      const { bytesRead: read } = await file.read(chunk, 0, chunk.length, place)
      if (read !== chunk.length) return undefined
      checksum = crc32(chunk, checksum)
      place += chunk.length
      await slice.yield()
    }
    return checksum === view.getUint32(56, true) && index.isWithin(end) ? { index, end } : undefined
  }

  /** Whether every row lies between the header and `end`. Checksums do not prove that: the file's author made them too. */
  private isWithin(end: number): boolean {
    for (let row = 0; row < this.rows; row++) {
      if (this.counts[row] === ABSENT) continue
      const place = this.places[row]!
      if (!Number.isSafeInteger(place) || place < HEADER_BYTES || place + this.bytesOf(row) > end) return false
    }
    return true
  }

  /** The memory of the index, in pieces. */
  private *chunks(): Generator<Uint8Array> {
    for (const { buffer } of [this.places, this.counts, this.checksums]) {
      for (let at = 0; at < buffer.byteLength; at += CHUNK_BYTES) {
        yield new Uint8Array(buffer, at, Math.min(CHUNK_BYTES, buffer.byteLength - at))
      }
    }
  }
}
