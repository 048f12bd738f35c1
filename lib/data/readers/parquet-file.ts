/** Parquet files whose headers are checked before anything is built from them. */
import type { FileHandle } from 'node:fs/promises'
import type { ColumnMetaData, FileMetaData, RowGroup, SchemaElement } from 'hyparquet'
import { parquetMetadata } from 'hyparquet'
import type { Budget, Leaf } from './parquet-pages.js'
import { ThriftReader } from './parquet-thrift.js'

const MAGIC = 0x31524150
/** hyparquet compares each column with every other one. */
const MAX_LEAVES = 10_000
const MAX_DEPTH = 64
/** A file may unpack to this many times its size, or to a size that is harmless. */
const RATIO = 100
const HARMLESS_BYTES = 2 ** 27
/** Bytes that a value takes at least. */
const VALUE_BYTES = 8
/** Limit of values: V8 ends the process for slightly larger arrays. */
const MAX_VALUES = 100_000_000

/** A column of values, and its place in the tree of columns. */
export interface LeafColumn extends Leaf {
  path: string[]
}

/** The part of a column of values that lies in one row group. */
export interface Chunk {
  leaf: LeafColumn
  meta: ColumnMetaData
  start: number
  end: number
}

/** One of the columns of the table. */
export interface TopColumn {
  name: string
  /** Schema elements of the column and of everything in it. */
  schema: readonly SchemaElement[]
  /** Indices of its columns of values. */
  leaves: readonly number[]
}

export interface Group {
  rows: number
  chunks: readonly Chunk[]
}

export interface Footer {
  metadata: FileMetaData
  columns: TopColumn[]
  groups: Group[]
  /** Limit of bytes that all pages unpack to. */
  budget: Budget
}

/** @throws Error with the problem */
export async function readFooter(file: FileHandle): Promise<Footer> {
  const { size } = await file.stat()
  if (size < 12) throw new Error(`it has ${size} bytes only`)
  const tail = await readBytes(file, size - 8, size)
  const view = new DataView(tail.buffer, tail.byteOffset, 8)
  if (view.getUint32(4, true) !== MAGIC) throw new Error('it does not end with PAR1')
  const start = size - 8 - view.getUint32(0, true)
  if (start < 4) throw new Error('its footer is longer than the file')
  const footer = await readBytes(file, start, size)
  new ThriftReader(footer.subarray(0, footer.length - 8), 0).struct()
  let metadata = metadataOf(footer, false)
  const leaves = leavesOf(metadata.schema)
  // The check of offset columns relies on the schema's counts, which have been checked by now.
  if (metadata.key_value_metadata?.some(({ key }) => key === 'geo')) metadata = metadataOf(footer, true)
  const budget = { left: size * RATIO + HARMLESS_BYTES }
  return {
    metadata,
    columns: columnsOf(metadata.schema, leaves),
    groups: groupsOf(metadata, leaves, start, size),
    budget,
  }
}

function metadataOf(footer: Uint8Array, geoparquet: boolean): FileMetaData {
  try {
    return parquetMetadata(footer, { geoparquet })
  } catch (cause) {
    throw new Error(`its footer is damaged (${(cause as Error).message})`, { cause })
  }
}

export async function readBytes(file: FileHandle, start: number, end: number): Promise<Uint8Array> {
  // A copy, because numbers are read in place and need aligned addresses.
  const bytes = new Uint8Array(end - start)
  for (let at = 0; at < bytes.length; ) {
    const { bytesRead } = await file.read(bytes, at, bytes.length - at, start + at)
    if (bytesRead === 0) throw new Error('it ends too early')
    at += bytesRead
  }
  return bytes
}

/** The columns of values, in their order. */
function leavesOf(schema: readonly SchemaElement[]): LeafColumn[] {
  const leaves: LeafColumn[] = []
  /** The open groups: how many children follow, and the path so far. */
  const open: { left: number; path: string[]; repetition: number; definition: number }[] = []
  for (const [i, element] of schema.entries()) {
    const parent = open.at(-1)
    if (i > 0 && !parent) throw new Error('its columns are more than it says')
    const { name, repetition_type: repetition, num_children: children = 0, type } = element
    if (typeof name !== 'string' || !Number.isInteger(children) || children < 0 || children > schema.length) {
      throw new Error(`its column ${i} has no name, or ${children} columns in it`)
    }
    if (parent) parent.left--
    const own = {
      left: children,
      path: parent ? [...parent.path, name] : [],
      repetition: (parent?.repetition ?? 0) + (parent && repetition === 'REPEATED' ? 1 : 0),
      definition: (parent?.definition ?? 0) + (parent && repetition !== 'REQUIRED' ? 1 : 0),
    }
    if (open.length > MAX_DEPTH) throw new Error(`its columns are nested deeper than ${MAX_DEPTH}`)
    if (children > 0) open.push(own)
    else if (i > 0) {
      const { path, definition } = own
      const width =
        type === 'FIXED_LEN_BYTE_ARRAY' ? (element.type_length ?? 0) : type?.endsWith('64') || type === 'DOUBLE' ? 8 : 4
      if (!Number.isInteger(width) || width < 0)
        throw new Error(`the values of its column ${path.join('.')} have ${width} bytes`)
      leaves.push({
        path,
        repetition: own.repetition,
        definition,
        isNested: path.length > 1 || own.repetition > 0,
        isBoolean: type === 'BOOLEAN',
        width,
      })
    }
    while (open.at(-1)?.left === 0) open.pop()
  }
  if (open.length > 0) throw new Error('its columns are fewer than it says')
  if (leaves.length > MAX_LEAVES) throw new Error(`it has ${leaves.length} columns, and at most ${MAX_LEAVES} are read`)
  return leaves
}

/** The columns of the table, in their order. The schema has been checked. */
function columnsOf(schema: readonly SchemaElement[], leaves: readonly LeafColumn[]): TopColumn[] {
  const columns: TopColumn[] = []
  let leaf = 0
  for (let at = 1; at < schema.length; ) {
    const first = at
    const own: number[] = []
    for (let left = 1; left > 0; at++) {
      const children = schema[at]!.num_children ?? 0
      left += children - 1
      if (children === 0) own.push(leaf++)
    }
    columns.push({ name: leaves[own[0]!]!.path[0]!, schema: schema.slice(first, at), leaves: own })
  }
  return columns
}

function groupsOf(metadata: FileMetaData, leaves: readonly LeafColumn[], footer: number, size: number): Group[] {
  let rows = 0
  let unpacked = 0
  const groups = metadata.row_groups.map((group, number) => {
    const groupRows = whole(group.num_rows, 'rows')
    rows += groupRows
    if (group.columns.length !== leaves.length) {
      throw new Error(`its row group ${number} has ${group.columns.length} columns instead of ${leaves.length}`)
    }
    const chunks = leaves.map((leaf, i) => {
      const chunk = chunkOf(group, i, leaf, footer)
      unpacked += whole(chunk.meta.total_uncompressed_size, 'bytes') + groupRows * VALUE_BYTES
      const values = whole(chunk.meta.num_values, 'values')
      if (values > MAX_VALUES || groupRows > MAX_VALUES)
        throw new Error(`its row group ${number} has ${values} values in a column`)
      if (!leaf.isNested && values !== groupRows) {
        throw new Error(`its column ${leaf.path.join('.')} has ${values} values in ${groupRows} rows`)
      }
      return chunk
    })
    return { rows: groupRows, chunks }
  })
  if (rows !== whole(metadata.num_rows, 'rows'))
    throw new Error(`its row groups have ${rows} rows instead of ${metadata.num_rows}`)
  if (unpacked > size * RATIO + HARMLESS_BYTES) {
    throw new Error(
      `it would be ${unpacked} bytes unpacked, more than ${RATIO} times its size and ${HARMLESS_BYTES / 2 ** 20} MB`,
    )
  }
  return groups
}

function chunkOf(group: RowGroup, place: number, leaf: LeafColumn, footer: number): Chunk {
  const { meta_data: meta, file_path: path } = group.columns[place]!
  const name = leaf.path.join('.')
  if (path) throw new Error(`its column ${name} is in another file`)
  if (
    !meta ||
    meta.path_in_schema.length !== leaf.path.length ||
    meta.path_in_schema.some((part, i) => part !== leaf.path[i])
  ) {
    throw new Error(`its column ${name} is not where it should be`)
  }
  // As hyparquet has it.
  const start = whole(meta.dictionary_page_offset || meta.data_page_offset, 'bytes')
  const end = start + whole(meta.total_compressed_size, 'bytes')
  if (end > footer) throw new Error(`its column ${name} lies behind its end`)
  return { leaf, meta, start, end }
}

/** An exact number that is not negative. */
function whole(value: bigint | number | undefined, what: string): number {
  const number = Number(value)
  if (!Number.isSafeInteger(number) || number < 0) throw new Error(`it says that it has ${value} ${what}`)
  return number
}
