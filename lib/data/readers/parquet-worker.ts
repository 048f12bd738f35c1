/** The thread of parquet.ts: reads one row group after the other, and hands its rows over piece by piece as it is asked. */
import { parentPort, workerData } from 'node:worker_threads'
import { asyncBufferFromFile, parquetMetadataAsync, parquetRead, parquetSchema } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { classNamesOf, FEATURES_KEY } from '../class-names.js'
import type { ParquetReply, ParquetRequest } from './parquet.js'

/** Rows in a message: what the receiving thread takes apart in about a millisecond. */
const PIECE_ROWS = 1024
/** Decimal digits that every number keeps. */
const EXACT_DIGITS = 15

const { path, columns } = workerData as ParquetRequest
// hyparquet's own decoder drops a byte-order mark at the beginning of a text and hides bytes that are no UTF-8.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const parsers = {
  stringFromBytes: (bytes: Uint8Array | undefined) => (bytes === undefined ? bytes : decoder.decode(bytes)),
}

async function* pieces(): AsyncGenerator<ParquetReply, void, undefined> {
  const file = await asyncBufferFromFile(path)
  const metadata = await parquetMetadataAsync(file)
  const present = parquetSchema(metadata).children.map(({ element }) => element.name)
  const missing = columns?.find((name) => !present.includes(name))
  if (missing !== undefined) {
    yield { missing, present }
    return
  }
  const names = [...(columns ?? present)]
  for (const { element } of parquetSchema(metadata).children) {
    if (!names.includes(element.name) || (element.precision ?? 0) <= EXACT_DIGITS) continue
    const message = `Column ${element.name} of ${path} holds decimals of ${element.precision} digits, of which a number keeps ${EXACT_DIGITS}`
    throw Object.assign(new Error(`${message}: leave it out with columns, or write it as texts`), {
      code: 'ERR_NOT_IMPLEMENTED',
    })
  }
  const features = metadata.key_value_metadata?.find(({ key }) => key === FEATURES_KEY)?.value
  const classNames = classNamesOf(features)
  let rowStart = 0
  for (const group of metadata.row_groups) {
    const rows = Number(group.num_rows)
    const values = new Map(names.map((name) => [name, new Array<unknown>(rows)]))
    // hyparquet does not wait for onChunk: what is thrown there would be nobody's.
    let failure: { error: unknown } | undefined
    await parquetRead({
      file,
      metadata,
      columns: names,
      rowStart,
      rowEnd: rowStart + rows,
      compressors,
      parsers: parsers as never,
      onChunk: ({ columnName, columnData, rowStart: from }) => {
        const column = values.get(columnName)!
        try {
          for (let i = 0; i < columnData.length; i++) column[from - rowStart + i] = plain(columnData[i])
        } catch (error) {
          failure ??= { error }
        }
      },
    })
    if (failure) throw failure.error
    for (let row = 0; row < rows; row += PIECE_ROWS) {
      const columns = names.map((name) => values.get(name)!.slice(row, row + PIECE_ROWS))
      yield rowStart + row === 0 ? { names, columns, classNames } : { names, columns }
    }
    rowStart += rows
  }
  if (rowStart === 0) yield { names, columns: names.map(() => []), classNames }
}

/** Integers as numbers where those are exact, absent values as null, in lists and structures too. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') {
    const number = Number(value)
    return Number.isSafeInteger(number) ? number : value
  }
  if (value === undefined) return null
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(plain)
  if (ArrayBuffer.isView(value)) return value instanceof Uint8Array ? value : Array.from(value as never, plain)
  if (value instanceof Date) return value
  return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, plain(entry)]))
}

const replies = pieces()
parentPort!.on('message', async () => {
  try {
    const { done, value } = await replies.next()
    parentPort!.postMessage(done ? { done: true } : value)
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException
    parentPort!.postMessage({ error: message, code } satisfies ParquetReply)
  }
})
