import { damaged } from '../../io/damaged.js'
import { embeddings } from '../../models/embeddings.js'
import { SparseEmbeddings } from '../../models/sparse-embeddings.js'
import { type Segment, vectorBytes } from './format.js'
import type { IndexFile } from './index-file.js'
import type { OwnRows } from './row-kinds.js'
import type { OwnIndexRows } from './segment-data.js'
import { readEnds, readRanges, tokensOf } from './token-store.js'

/** Bytes of vectors, or of texts, that are read at once. */
const BLOCK_BYTES = 2 ** 25

/** One part of the rows of a segment. */
interface Column<T> {
  /** Bytes up to a row. */
  end(row: number): number
  /** The rows from … to - 1. */
  read(from: number, to: number): Promise<T>
}

/** All rows of an index with their ids and texts, in order and block by block. @throws SentenceTorchError ERR_INVALID_FILE */
export async function* readRows(
  file: IndexFile,
  blockBytes = BLOCK_BYTES,
): AsyncGenerator<OwnIndexRows, void, undefined> {
  const { hasIds, hasTexts } = file.head
  for (const segment of file.segments) {
    const vectors = await vectorColumn(file, segment)
    const ids = hasIds ? await textColumn(file, segment, 'idPlaces', 'ids') : undefined
    const texts = hasTexts ? await textColumn(file, segment, 'textPlaces', 'texts') : undefined
    const columns = [vectors, ids, texts].filter((column) => column !== undefined)
    for (let from = 0; from < segment.rows; ) {
      let to = from + 1
      while (to < segment.rows && columns.every(({ end }) => end(to + 1) - end(from) <= blockBytes)) to++
      yield {
        embeddings: await vectors.read(from, to),
        ...(ids && { ids: await ids.read(from, to) }),
        ...(texts && { texts: await texts.read(from, to) }),
      }
      from = to
    }
  }
}

async function vectorColumn(file: IndexFile, segment: Segment): Promise<Column<OwnRows>> {
  const { kind = 'dense', dimension } = file.head
  const { vectors, codes } = segment.parts
  const floats = async (start: number, count: number) => {
    const data = new Float32Array(count)
    await file.read(new Uint8Array(data.buffer), vectors.start + 4 * start)
    return data
  }
  if (kind === 'dense') {
    const read = async (from: number, to: number) =>
      embeddings(await floats(from * dimension, (to - from) * dimension), to - from, dimension)
    return { end: (row) => 4 * dimension * row, read }
  }
  const bytes = kind === 'tokens' ? vectorBytes(file.head) : 4
  const ends = await readEnds(file, segment, vectors.bytes / bytes)
  const ranges = kind === 'tokens' ? await readRanges(file, segment) : undefined
  const end = (row: number) => bytes * ends[row]!
  const read = async (from: number, to: number) => {
    const [start, count] = [ends[from]!, ends[to]! - ends[from]!]
    if (kind === 'tokens') {
      const part = new Uint8Array(count * bytes)
      await file.read(part, vectors.start + start * bytes)
      return tokensOf(file.head, ends.subarray(from, to + 1), part, ranges)
    }
    const offsets = ends.slice(from, to + 1).map((offset) => offset - start)
    const values = await floats(start, count)
    const indices = new Int32Array(count)
    await file.read(new Uint8Array(indices.buffer), codes.start + 4 * start)
    return new SparseEmbeddings({ indices, values, offsets, dimension })
  }
  return { end, read }
}

async function textColumn(
  file: IndexFile,
  segment: Segment,
  placesName: 'idPlaces' | 'textPlaces',
  textsName: 'ids' | 'texts',
): Promise<Column<string[]>> {
  const places = new BigUint64Array(segment.rows + 1)
  await file.readPart(segment, placesName, new Uint8Array(places.buffer))
  const { start, bytes } = segment.parts[textsName]
  const ends = Float64Array.from(places, Number)
  if (!ends.every((end, row) => end >= (ends[row - 1] ?? 0) && end <= bytes))
    throw damaged(file.path, `the places of the ${textsName} of rows from ${segment.first} on do not rise to ${bytes}`)
  const read = async (from: number, to: number) => {
    const [first, last] = [ends[from]!, ends[to]!]
    const text = Buffer.alloc(last - first)
    await file.read(text, start + first)
    return Array.from({ length: to - from }, (_, i) =>
      text.toString('utf8', ends[from + i]! - first, ends[from + i + 1]! - first),
    )
  }
  return { end: (row) => ends[row]!, read }
}
