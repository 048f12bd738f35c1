import { crc32 } from 'node:zlib'
import { TimeSlice } from '../../data/time-slice.js'
import { damaged } from '../../io/damaged.js'
import { type Embeddings, embeddings } from '../../models/embeddings.js'
import type { MaxSimName } from '../../models/multi-vector/folder.js'
import {
  checkedRanges,
  TOKEN_ARRAYS,
  type TokenData,
  type TokenPrecision,
} from '../../models/multi-vector/precision.js'
import { type AnyTokenEmbeddings, TokenEmbeddings } from '../../models/token-embeddings.js'
import { MaxSimHits } from '../max-sim-hits.js'
import { type Head, type Segment, vectorBytes } from './format.js'
import type { IndexFile } from './index-file.js'
import { STRIDE } from './write-segment.js'

/** Bytes of vectors that are read at once. Two such blocks are in memory. */
const BLOCK_BYTES = 2 ** 25

/** The vectors of texts of an index. Where each text ends is in memory; vectors are read block by block for every search. */
export class TokenStore {
  readonly #file: IndexFile
  /** For each segment where its texts begin, and the end; of int8 its ranges. */
  readonly #segments: { offsets: Int32Array; ranges: Embeddings | undefined; isChecked: boolean }[] = []

  constructor(file: IndexFile) {
    this.#file = file
  }

  /** Reads segments that are new. @throws SentenceTorchError ERR_INVALID_FILE */
  async add(): Promise<void> {
    const { segments, head } = this.#file
    for (const segment of segments.slice(this.#segments.length)) {
      const offsets = await readEnds(this.#file, segment, segment.parts.vectors.bytes / vectorBytes(head))
      this.#segments.push({ offsets, ranges: await readRanges(this.#file, segment), isChecked: false })
    }
  }

  /** @param k at most the number of rows */
  async search(
    queries: AnyTokenEmbeddings,
    similarity: MaxSimName,
    k: number,
    signal: AbortSignal | undefined,
  ): Promise<MaxSimHits> {
    const hits = new MaxSimHits(queries, similarity, k)
    const blocks = [...this.#blocks()]
    // One is read while the other is compared.
    const most = blocks.reduce((largest, { bytes }) => Math.max(largest, bytes), 0)
    const rooms = [new Uint8Array(most), new Uint8Array(most)]
    const read = (i: number) => {
      if (i >= blocks.length) return undefined
      const reading = this.#read(blocks[i]!, rooms[i % 2]!)
      // It is awaited later, or never where the search ends.
      reading.catch(() => {})
      return reading
    }
    let next = read(0)
    let crc = 0
    for (const [i, block] of blocks.entries()) {
      const vectors: AnyTokenEmbeddings = await next!
      next = read(i + 1)
      const { first } = this.#file.segments[block.segment]!
      const checked = this.#checked(block, rooms[i % 2]!.subarray(0, block.bytes), crc)
      ;[crc] = await Promise.all([checked, hits.add(vectors, first + block.from, signal, false)])
    }
    return hits
  }

  /**
   * The first search of all rows compares the vectors with their checksums, beside the engine's work.
   * @param crc of the blocks of the segment before this one; returns that with it, or 0 behind the last
   */
  async #checked({ segment, to }: Block, bytes: Uint8Array, crc: number): Promise<number> {
    const own = this.#segments[segment]!
    if (own.isChecked) return 0
    const slice = new TimeSlice()
    for (let at = 0; at < bytes.length; at += STRIDE) {
      crc = crc32(bytes.subarray(at, at + STRIDE), crc)
      await slice.yield()
    }
    if (to < own.offsets.length - 1) return crc
    const { first, rows, parts } = this.#file.segments[segment]!
    if (crc !== parts.vectors.crc)
      throw damaged(this.#file.path, `the vectors of rows ${first} to ${first + rows - 1} do not have their checksum`)
    own.isChecked = true
    return 0
  }

  /** The vectors of some rows, in their order. */
  async some(numbers: readonly number[]): Promise<TokenEmbeddings> {
    const rows: Embeddings[] = []
    for (const number of numbers) {
      const segment = this.#file.segments.indexOf(this.#file.segmentOf(number))
      const from = number - this.#file.segments[segment]!.first
      const found = await this.#read(this.#blockOf(segment, from, from + 1))
      rows.push((await found.toPrecision('float32')).row(0))
    }
    return TokenEmbeddings.fromRows(rows, this.#file.head.dimension)
  }

  *#blocks(): Generator<Block> {
    const most = Math.max(1, Math.floor(BLOCK_BYTES / vectorBytes(this.#file.head)))
    for (const [segment, { offsets }] of this.#segments.entries()) {
      for (let from = 0; from < offsets.length - 1; ) {
        let to = from + 1
        while (to < offsets.length - 1 && offsets[to + 1]! - offsets[from]! <= most) to++
        yield this.#blockOf(segment, from, to)
        from = to
      }
    }
  }

  #blockOf(segment: number, from: number, to: number): Block {
    const { offsets } = this.#segments[segment]!
    return { segment, from, to, bytes: (offsets[to]! - offsets[from]!) * vectorBytes(this.#file.head) }
  }

  /** @param room at least as large as the block */
  async #read({ segment, from, to, bytes }: Block, room = new Uint8Array(bytes)): Promise<AnyTokenEmbeddings> {
    const { head, segments } = this.#file
    const { offsets, ranges } = this.#segments[segment]!
    const read = room.subarray(0, bytes)
    await this.#file.read(read, segments[segment]!.parts.vectors.start + offsets[from]! * vectorBytes(head))
    return tokensOf(head, offsets.subarray(from, to + 1), read, ranges)
  }
}

/** The ranges of a segment of int8; of other precisions there are none. @throws SentenceTorchError ERR_INVALID_FILE */
export async function readRanges(file: IndexFile, segment: Segment): Promise<Embeddings | undefined> {
  const { dimension, precision } = file.head
  if (precision !== 'int8') return undefined
  const ranges = embeddings(new Float32Array(2 * dimension), 2, dimension)
  await file.readPart(segment, 'codes', new Uint8Array(ranges.data.buffer))
  try {
    return checkedRanges(ranges, dimension)
  } catch (error) {
    throw damaged(file.path, `rows from ${segment.first} on: ${(error as Error).message}`)
  }
}

/** Vectors as they lie in a file. @param offsets of the texts, from any place on @param bytes from there on, at the start of their memory */
export function tokensOf(
  { dimension, precision }: Pick<Head, 'dimension' | 'precision'>,
  offsets: Int32Array,
  bytes: Uint8Array,
  ranges: Embeddings | undefined,
): AnyTokenEmbeddings {
  const kind = TOKEN_ARRAYS[precision]
  const data: TokenData[TokenPrecision] = new kind(
    bytes.buffer as ArrayBuffer,
    0,
    bytes.length / kind.BYTES_PER_ELEMENT,
  )
  const own = offsets.map((offset) => offset - offsets[0]!)
  return new TokenEmbeddings<TokenPrecision>(data, own, dimension, { precision, ranges })
}

/** Texts `from` … `to` − 1 of a segment. */
interface Block {
  segment: number
  from: number
  to: number
  /** Of its vectors. */
  bytes: number
}

/** Where each row of a segment begins, and the end. @throws SentenceTorchError ERR_INVALID_FILE unless they rise to `count` */
export async function readEnds(file: IndexFile, segment: Segment, count: number): Promise<Int32Array> {
  const offsets = new Int32Array(segment.rows + 1)
  await file.readPart(segment, 'factors', new Uint8Array(offsets.buffer, 4))
  for (let i = 0; i < segment.rows; i++) {
    if (offsets[i + 1]! >= offsets[i]!) continue
    throw damaged(file.path, `row ${segment.first + i} ends at ${offsets[i + 1]}, before it begins, at ${offsets[i]}`)
  }
  if (offsets[segment.rows] !== count)
    throw damaged(file.path, `rows from ${segment.first} on have ${count} values, but end at ${offsets[segment.rows]}`)
  return offsets
}
