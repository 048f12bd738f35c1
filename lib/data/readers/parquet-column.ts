/** Reads one column of one row group through hyparquet, which sees only checked pages. */
import type { FileHandle } from 'node:fs/promises'
import { type ColumnMetaData, type FileMetaData, parquetRead } from 'hyparquet'
import { unpack } from './parquet-codecs.js'
import { type Chunk, type Footer, type Group, readBytes, type TopColumn } from './parquet-file.js'
import { type Budget, checkContent, checkLevels, type Page, pagesOf } from './parquet-pages.js'

/** A chunk of a column of values, and how its pages are unpacked. */
interface Part {
  bytes: ArrayBuffer
  meta: ColumnMetaData
  unpack: (input: Uint8Array, outputLength: number) => Uint8Array
}

/** Positions of the parts in the file that hyparquet sees. They are so far apart that it reads each part by itself. */
const PART = 2 ** 40
/** hyparquet asks for the pages of a part under this codec name, even if they are not compressed. */
const codecOf = (part: number) => `PART${part}` as ColumnMetaData['codec']

// hyparquet's own decoder drops a byte-order mark at the start of a text and hides bytes that are not UTF-8.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const parsers = {
  stringFromBytes: (bytes: Uint8Array | undefined) => (bytes === undefined ? bytes : decoder.decode(bytes)),
}

/**
 * The values of a column in a row group.
 * @param plain converts a value for the caller
 * @throws Error with the problem
 */
export async function readColumn(
  file: FileHandle,
  { metadata, budget }: Footer,
  group: Group,
  column: TopColumn,
  plain: (value: unknown) => unknown,
): Promise<unknown[]> {
  const parts = await Promise.all(column.leaves.map((number, i) => readPart(file, group.chunks[number]!, i, budget)))
  const { rows } = group
  const own: FileMetaData = {
    ...metadata,
    schema: [{ name: 'root', num_children: 1 }, ...column.schema],
    num_rows: BigInt(rows),
    row_groups: [
      {
        columns: parts.map(({ meta }) => ({ file_offset: 0n, meta_data: meta })),
        total_byte_size: 0n,
        num_rows: BigInt(rows),
      },
    ],
  }
  const values = new Array<unknown>(rows)
  let found = 0
  // hyparquet does not wait for onChunk, so nobody would catch what it throws.
  let failure: { error: unknown } | undefined
  await parquetRead({
    file: { byteLength: parts.length * PART, slice: (start) => Promise.resolve(parts[start / PART]!.bytes) },
    metadata: own,
    columns: [column.name],
    compressors: Object.fromEntries(parts.map((part, i) => [codecOf(i), part.unpack])),
    parsers: parsers as never,
    onChunk: ({ columnData }) => {
      if (failure) return
      try {
        for (let i = 0; i < columnData.length && found < rows; i++) values[found++] = plain(columnData[i])
      } catch (error) {
        failure = { error }
      }
    },
  })
  if (failure) throw failure.error
  if (found !== rows) throw new Error(`its column ${column.name} has ${found} values in ${rows} rows`)
  return values
}

/** Reads a chunk and checks its page headers. The pages themselves are checked when they are unpacked. */
async function readPart(file: FileHandle, chunk: Chunk, number: number, budget: Budget): Promise<Part> {
  const { leaf, start, end } = chunk
  const bytes = await readBytes(file, start, end)
  const pages = pagesOf(bytes, leaf, Number(chunk.meta.num_values), budget)
  const packed: Page[] = []
  for (const page of pages) {
    if (page.kind === 'data 2') checkLevels(page, leaf)
    if (page.isCompressed) packed.push(page)
    else checkContent(page, leaf, page.bytes.subarray(page.repetitionBytes + page.definitionBytes))
  }
  const { codec, dictionary_page_offset: _, ...meta } = chunk.meta
  const place = BigInt(number * PART)
  return {
    bytes: bytes.buffer as ArrayBuffer,
    meta: { ...meta, codec: codecOf(number), data_page_offset: place },
    unpack: (input, outputLength) => {
      const page = packed.shift()
      if (!page) throw new Error('a column has more pages than values')
      const unpacked = unpack(codec, input, outputLength)
      if (unpacked.length !== outputLength)
        throw new Error(`a page unpacks to ${unpacked.length} bytes instead of ${outputLength}`)
      checkContent(page, leaf, unpacked)
      return unpacked
    },
  }
}
