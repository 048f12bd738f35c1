// The file of an index:
//
//   0     4096  a head \  the newer one that is whole counts: an addition writes the other one, as its last act
//   4096  4096  a head /
//   8192        segments, one for each addition: 512 bytes about it, then its parts, each from a multiple of 64 bytes on
//
// Of sparse rows, `vectors` are the values, `codes` their columns (32 bits); of texts with a vector for each token, `vectors` are
// these in the index's precision, and `codes` of int8 the ranges of the segment. `factors` of both say where each row ends (32 bits).
// Such files have format 2.
//
// A head says where the segments end. What lies behind that is left of an addition that was cut off.
import { SentenceTorchError } from '../../errors.js'
import { damaged } from '../../io/damaged.js'
import { boolean, integer, object, oneOf, optional, parseJson, type Schema } from '../../io/schema.js'
import type { MaxSimName } from '../../models/multi-vector/folder.js'
import { entriesOf, TOKEN_ARRAYS, TOKEN_PRECISIONS, type TokenPrecision } from '../../models/multi-vector/precision.js'
import type { Metric } from '../../native/types.js'
import { ofBlock, toBlock } from './blocks.js'
import { identitySchema, type ModelIdentity } from './model-identity.js'

export const HEAD_BYTES = 4096
export const FIRST_SEGMENT = 2 * HEAD_BYTES
export const SEGMENT_BYTES = 512
const ALIGNMENT = 64
const MAGIC = 'STINDEX\n'
const SEGMENT_MAGIC = 'SEGMENT\n'
/** Raised when older versions would misread the file: 1 of embeddings, 2 of other rows. */
const FORMAT = 2

const size = integer(0, Number.MAX_SAFE_INTEGER)

/** What the rows of an index are: embeddings, sparse ones, or texts with a vector for each token. */
export type RowKind = 'dense' | 'sparse' | 'tokens'

/** How the rows of an index are compared first; of vectors of tokens, how they are stored. */
export type IndexPrecision = TokenPrecision

/** What an index is, from its first row on. */
export interface IndexSettings {
  dimension: number
  /** Absent: dense. */
  kind?: RowKind | undefined
  precision: IndexPrecision
  scoreFunction: Metric | MaxSimName
  hasIds: boolean
  hasTexts: boolean
  /** Absent where nobody said which model made the rows, and in files of older versions, which keep it where it is. */
  model?: ModelIdentity | undefined
}

/** A head: what the index is, and how far its segments reach. */
export interface Head extends IndexSettings {
  format: number
  /** Rises with every addition. */
  sequence: number
  rows: number
  /** Bytes of the file that count. */
  end: number
}

const formatSchema = object({ format: integer(1, 1_000_000) })
const headSchema: Schema<Head> = object({
  format: integer(1, FORMAT),
  sequence: size,
  rows: integer(0, 2 ** 31 - 1),
  end: size,
  dimension: integer(1, 1_000_000),
  precision: oneOf(...TOKEN_PRECISIONS),
  kind: optional(oneOf('dense', 'sparse', 'tokens')),
  scoreFunction: oneOf('cosine', 'dot', 'euclidean', 'manhattan', 'maxsim', 'meanmaxsim'),
  hasIds: boolean,
  hasTexts: boolean,
  model: identitySchema,
})

/** The parts of a segment, in their order. */
export const PARTS = ['vectors', 'codes', 'factors', 'idPlaces', 'ids', 'textPlaces', 'texts'] as const
export type PartName = (typeof PARTS)[number]

/** What a segment says of itself. */
export interface SegmentRecord {
  rows: number
  parts: Record<PartName, { bytes: number; crc: number }>
}

const part = object({ bytes: size, crc: integer(0, 2 ** 32 - 1) })
const partsSchema = {
  vectors: part,
  codes: part,
  factors: part,
  idPlaces: part,
  ids: part,
  textPlaces: part,
  texts: part,
}
const segmentSchema: Schema<SegmentRecord> = object({ rows: integer(1, 2 ** 31 - 1), parts: object(partsSchema) })

/** Where a part lies in the file. */
export interface Part {
  start: number
  bytes: number
  crc: number
}

/** The rows of one addition. */
export interface Segment {
  /** Number of its first row. */
  first: number
  rows: number
  parts: Record<PartName, Part>
  end: number
}

/** Bytes of a token's vector. */
export function vectorBytes({ precision, dimension }: Pick<Head, 'precision' | 'dimension'>): number {
  return TOKEN_ARRAYS[precision].BYTES_PER_ELEMENT * entriesOf(precision, dimension)
}

/** Bytes of a row of codes: of bits in whole words of 64. */
export function codeBytes({ precision, dimension }: Pick<Head, 'precision' | 'dimension'>): number {
  return precision === 'float32' ? 0 : precision === 'int8' ? dimension : 8 * Math.ceil(dimension / 64)
}

export function writeHead(head: Omit<Head, 'format'>): Uint8Array {
  const format = (head.kind ?? 'dense') === 'dense' ? 1 : FORMAT
  return toBlock(MAGIC, { format, ...head }, HEAD_BYTES)
}

/** @throws SentenceTorchError ERR_INVALID_FILE; ERR_UNSUPPORTED for a newer format */
export function readHead(block: Buffer, name: string, path: string): Head {
  const json = ofBlock(MAGIC, block, name, path)
  const { format } = parseJson(json, path, formatSchema)
  if (format > FORMAT) {
    const message = `${path} has the format ${format} of a newer version; this version reads up to ${FORMAT}`
    throw new SentenceTorchError('ERR_UNSUPPORTED', message)
  }
  return parseJson(json, path, headSchema)
}

/** Whether a file begins as an index does. */
export function isIndex(start: Buffer): boolean {
  return start.toString('latin1', 0, MAGIC.length) === MAGIC
}

export function writeRecord(record: SegmentRecord): Uint8Array {
  return toBlock(SEGMENT_MAGIC, record, SEGMENT_BYTES)
}

/**
 * A segment as it lies in the file.
 * @param first number of its first row
 * @throws SentenceTorchError ERR_INVALID_FILE where its sizes are not those of its rows
 */
export function readRecord(block: Buffer, start: number, first: number, head: Head, path: string): Segment {
  const name = `the segment at byte ${start}`
  const record = parseJson(ofBlock(SEGMENT_MAGIC, block, name, path), path, segmentSchema)
  const segment = placed(record, start, first)
  const { rows } = record
  const places = (present: boolean) => (present ? 8 * (rows + 1) : 0)
  const expected: Partial<Record<PartName, number>> = {
    ...sizesOf(head, record),
    idPlaces: places(head.hasIds),
    textPlaces: places(head.hasTexts),
  }
  for (const [part, bytes] of Object.entries(expected)) {
    const found = record.parts[part as PartName].bytes
    if (found !== bytes)
      throw damaged(path, `${name} has ${found} bytes of ${part}, expected ${bytes} for ${rows} rows`)
  }
  if (segment.end > head.end || first + rows > head.rows) {
    throw damaged(path, `${name} reaches beyond what its head says: ${head.end} bytes, ${head.rows} rows`)
  }
  return segment
}

/** Bytes of the parts that hold rows. */
function sizesOf(head: Head, { rows, parts }: SegmentRecord): Partial<Record<PartName, number>> {
  // How many values rows have stands in the file: whole columns, and whole vectors.
  if (head.kind === 'sparse')
    return {
      vectors: 4 * Math.floor(parts.codes.bytes / 4),
      codes: 4 * Math.floor(parts.codes.bytes / 4),
      factors: 4 * rows,
    }
  if (head.kind === 'tokens') {
    const bytes = vectorBytes(head)
    const codes = head.precision === 'int8' ? 8 * head.dimension : 0
    return { vectors: bytes * Math.floor(parts.vectors.bytes / bytes), codes, factors: 4 * rows }
  }
  const vector = 4 * head.dimension
  const factors = head.precision === 'int8' ? 4 * rows : 0
  return { vectors: vector * rows, codes: rows * codeBytes(head), factors }
}

/** Places of the parts of a segment that begins at `start`. */
export function placed(record: SegmentRecord, start: number, first: number): Segment {
  let end = start + SEGMENT_BYTES
  const parts = {} as Record<PartName, Part>
  for (const name of PARTS) {
    parts[name] = { start: end, ...record.parts[name] }
    end = Math.ceil((end + record.parts[name].bytes) / ALIGNMENT) * ALIGNMENT
  }
  return { first, rows: record.rows, parts, end }
}
