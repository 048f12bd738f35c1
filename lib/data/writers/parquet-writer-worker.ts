/** The thread of parquet.ts: collects rows to row groups, and answers each request with the bytes that are ready. */
import { parentPort, workerData } from 'node:worker_threads'
import { ByteWriter, ParquetWriter } from 'hyparquet-writer'
import type { ParquetReply, ParquetRequest, ParquetStart } from './parquet.js'

/** Rows of a group, and characters after which a group ends sooner. Readers have one group in memory. */
const GROUP_ROWS = 100_000
const GROUP_CHARACTERS = 32 * 2 ** 20

const { schema, metadata } = workerData as ParquetStart
const names = topNames()
const bytes = new ByteWriter()
const writer = new ParquetWriter({ writer: bytes, schema, kvMetadata: metadata, createdBy: 'sentence-torch' })
let group: unknown[][] = names.map(() => [])
let characters = 0

/** The names of the columns: the elements of the schema that are not parts of others. */
function topNames(): string[] {
  const found: string[] = []
  for (let at = 1; at < schema.length; ) {
    found.push(schema[at]!.name)
    for (let open = 1; open > 0; at++) open += (schema[at]!.num_children ?? 0) - 1
  }
  return found
}

function add(columns: unknown[][]): void {
  columns.forEach((values, i) => {
    for (const value of values) {
      group[i]!.push(value)
      characters += lengthOf(value)
    }
  })
  if (group[0]!.length >= GROUP_ROWS || characters >= GROUP_CHARACTERS) endGroup()
}

function lengthOf(value: unknown): number {
  if (typeof value === 'string') return value.length
  if (typeof value !== 'object' || value === null) return 8
  return Object.values(value).reduce<number>((sum, entry) => sum + lengthOf(entry), 8)
}

function endGroup(): void {
  const rows = group[0]!.length
  if (rows === 0) return
  const columnData = names.map((name, i) => ({ name, data: group[i]! }))
  writer.write({ columnData, rowGroupSize: rows })
  group = names.map(() => [])
  characters = 0
}

function answer(request: ParquetRequest): ParquetReply {
  try {
    if ('columns' in request) add(request.columns)
    else {
      endGroup()
      writer.finish()
    }
    const ready = bytes.getBytes().slice()
    bytes.index = 0
    return { bytes: ready }
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) }
  }
}

parentPort!.on('message', (request: ParquetRequest) => parentPort!.postMessage(answer(request)))
