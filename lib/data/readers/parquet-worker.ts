/** The thread of parquet.ts: reads one row group after another, and sends its rows in pieces on request. */
import type { FileHandle } from 'node:fs/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { SentenceTorchError } from '../../errors.js'
import { openFile } from '../../io/open-file.js'
import { MAX_DEPTH } from '../../io/schema.js'
import { classNamesOf, FEATURES_KEY } from '../class-names.js'
import { checkColumnNames } from './names.js'
import type { ParquetReply, ParquetRequest } from './parquet.js'
import { readColumn } from './parquet-column.js'
import { readFooter, type TopColumn } from './parquet-file.js'
import { readFloats } from './parquet-floats.js'

/** Rows in a message: the receiving thread unpacks them in about a millisecond. */
const PIECE_ROWS = 1024
/** Decimal digits that every number keeps. */
const EXACT_DIGITS = 15
/** Later pieces send no names, because they have those of the first piece. */
const NO_NAMES: string[] = []

const { path, columns, floats } = workerData as ParquetRequest

async function* pieces(): AsyncGenerator<ParquetReply, void, undefined> {
  const file = await openFile(path)
  try {
    yield* piecesOf(file)
  } finally {
    await file.close()
  }
}

async function* piecesOf(file: FileHandle): AsyncGenerator<ParquetReply, void, undefined> {
  const footer = await readFooter(file)
  const present = footer.columns.map(({ name }) => name)
  const missing = columns?.find((name) => !present.includes(name))
  if (missing !== undefined) {
    yield { missing, present }
    return
  }
  const names = [...(columns ?? present)]
  checkColumnNames(names, ` of ${path}`)
  const chosen = columns ? columns.map((name) => footer.columns[present.indexOf(name)]!) : footer.columns
  for (const { name, schema } of chosen) {
    const { precision = 0 } = schema[0]!
    if (precision <= EXACT_DIGITS) continue
    const message = `Column ${name} of ${path} holds decimals of ${precision} digits, of which a number keeps ${EXACT_DIGITS}`
    throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', `${message}: leave it out with columns, or write it as texts`)
  }
  const features = footer.metadata.key_value_metadata?.find(({ key }) => key === FEATURES_KEY)?.value
  const classNames = classNamesOf(features)
  let isFirst = true
  for (const group of footer.groups) {
    if (group.rows === 0) continue
    const values: unknown[][] = []
    let numbers: Float32Array | undefined
    for (const column of chosen) {
      const own = column.name === floats?.name ? await readFloats(file, footer, group, column, floats.width) : undefined
      numbers ??= own
      values.push(own ? [] : await readColumn(file, footer, group, column, plainOf(column)))
    }
    for (let row = 0; row < group.rows; row += PIECE_ROWS) {
      const columns = values.map((column) => column.slice(row, row + PIECE_ROWS))
      const rows = numbers && { floats: numbers.slice(row * floats!.width, (row + PIECE_ROWS) * floats!.width) }
      yield isFirst ? { names, columns, classNames, ...rows } : { names: NO_NAMES, columns, ...rows }
      isFirst = false
    }
  }
  if (isFirst) yield { names, columns: names.map(() => []), classNames }
}

/** Converts a value of a column for the receiver. */
function plainOf({ schema }: TopColumn): (value: unknown) => unknown {
  // Absent values are null there. Undefined is an index that the column's dictionary lacks. (Inside structures it also
  // means absent.)
  const isFlat = schema.length === 1
  const isList = schema.length === 3 && schema[0]!.converted_type === 'LIST'
  return (value) => {
    if ((isFlat && value === undefined) || (isList && Array.isArray(value) && value.includes(undefined))) {
      throw new Error('a value is not in the dictionary of its column')
    }
    return plain(value, MAX_DEPTH - 1)
  }
}

/** Integers as numbers where those are exact, absent values as null, also in lists and structures. */
function plain(value: unknown, depth: number): unknown {
  if (typeof value === 'bigint') {
    const number = Number(value)
    return Number.isSafeInteger(number) ? number : value
  }
  if (value === undefined) return null
  if (typeof value !== 'object' || value === null) return value
  if (depth === 0) throw new Error(`its values are nested deeper than ${MAX_DEPTH}`)
  if (Array.isArray(value)) return value.map((entry) => plain(entry, depth - 1))
  if (ArrayBuffer.isView(value))
    return value instanceof Uint8Array ? value : Array.from(value as never, (entry) => plain(entry, depth - 1))
  if (value instanceof Date) return value
  return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, plain(entry, depth - 1)]))
}

const replies = pieces()
parentPort!.on('message', async () => {
  try {
    const { done, value } = await replies.next()
    if (done) parentPort!.postMessage({ done: true } satisfies ParquetReply)
    else parentPort!.postMessage(value, 'floats' in value ? [value.floats!.buffer as ArrayBuffer] : [])
  } catch (error) {
    const isOurs = error instanceof SentenceTorchError
    const message = error instanceof Error ? error.message : String(error)
    parentPort!.postMessage({ error: message, code: isOurs ? error.code : undefined } satisfies ParquetReply)
  }
})
