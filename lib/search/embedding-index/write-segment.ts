import type { FileHandle } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { TimeSlice } from '../../data/time-slice.js'
import { PARTS, type PartName, placed, type Segment, type SegmentRecord, writeRecord } from './format.js'

/** The rows of an addition, as bytes; parts that an index does not have are absent. */
export interface SegmentData {
  rows: number
  parts: Partial<Record<PartName, Uint8Array>>
}

/** Bytes whose checksum takes less than a millisecond. */
export const STRIDE = 2 ** 20
/** Bytes per system call: Linux writes at most 2 GiB at once. */
const WRITE_BYTES = 2 ** 28

/** Writes a segment at `start`. @param first number of its first row */
export async function writeSegment(
  file: FileHandle,
  start: number,
  first: number,
  { rows, parts }: SegmentData,
): Promise<Segment> {
  const slice = new TimeSlice()
  const record: SegmentRecord = { rows, parts: {} as SegmentRecord['parts'] }
  for (const name of PARTS) {
    const bytes = parts[name] ?? new Uint8Array(0)
    record.parts[name] = { bytes: bytes.length, crc: await checksum(bytes, slice) }
  }
  const segment = placed(record, start, first)
  await writeFully(file, writeRecord(record), start)
  for (const name of PARTS) await writeFully(file, parts[name] ?? new Uint8Array(0), segment.parts[name].start)
  return segment
}

async function checksum(bytes: Uint8Array, slice: TimeSlice): Promise<number> {
  let crc = 0
  for (let at = 0; at < bytes.length; at += STRIDE) {
    crc = crc32(bytes.subarray(at, at + STRIDE), crc)
    await slice.yield()
  }
  return crc
}

async function writeFully(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const length = Math.min(WRITE_BYTES, bytes.length - done)
    done += (await file.write(bytes, done, length, position + done)).bytesWritten
  }
}

/** Texts as bytes, one after the other, with the places where they begin and the end of the last (64 bits each). */
export function packTexts(texts: readonly string[]): { places: Uint8Array; bytes: Uint8Array } {
  const places = new BigUint64Array(texts.length + 1)
  const encoded = texts.map((text) => Buffer.from(text))
  let end = 0
  for (const [i, bytes] of encoded.entries()) {
    end += bytes.length
    places[i + 1] = BigInt(end)
  }
  return { places: new Uint8Array(places.buffer), bytes: Buffer.concat(encoded) }
}
