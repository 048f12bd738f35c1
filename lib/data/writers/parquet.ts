import type { FileHandle } from 'node:fs/promises'
import { Worker } from 'node:worker_threads'
import type { SchemaElement } from 'hyparquet'
import { SentenceTorchError } from '../../errors.js'
import { throwIfAborted } from '../../io/abort.js'
import { FEATURES_KEY } from '../class-names.js'
import type { Table } from '../table.js'
import { runInSlices } from '../time-slice.js'
import { featureOf, type ParquetType, schemaOf, stored, typeOfColumn } from './parquet-types.js'
import { checkParquetNames, unfit } from './unfit.js'

export interface ParquetStart {
  schema: SchemaElement[]
  metadata: { key: string; value: string }[]
}

/** Rows by column; without them the file ends. */
export type ParquetRequest = { columns: unknown[][] } | { end: true }
export type ParquetReply = { bytes: Uint8Array } | { error: string }

/** Rows of a message: packing them takes about a millisecond. */
const PIECE_ROWS = 1024

/**
 * Writes a Parquet file, compressed by Snappy, as pyarrow and `datasets` read it. A thread encodes it, because a row group
 * can take seconds.
 */
export async function writeParquet(
  file: FileHandle,
  dataset: Table,
  path: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const names = dataset.columnNames
  checkParquetNames(names, path)
  const columns: { values: readonly unknown[]; type: ParquetType }[] = []
  for (const name of names) columns.push(await columnOf(dataset, name, path))
  const start: ParquetStart = {
    schema: [
      { name: 'schema', num_children: names.length },
      ...columns.flatMap(({ type }, i) => schemaOf(names[i]!, type)),
    ],
    metadata: metadataOf(dataset, columns),
  }
  const thread = new ParquetThread(start, path)
  try {
    for (let row = 0; row < dataset.length; row += PIECE_ROWS) {
      throwIfAborted(signal, `Writing ${path}`)
      const piece = columns.map(({ values, type }) =>
        values.slice(row, row + PIECE_ROWS).map((value) => stored(value, type)),
      )
      await file.writeFile(await thread.add(piece))
    }
    await file.writeFile(await thread.end())
  } finally {
    await thread.close()
  }
}

/** The thread that encodes a file. Its answers are the bytes of the file, in their order. */
export class ParquetThread {
  readonly #thread: Worker
  readonly #path: string

  constructor(start: ParquetStart, path: string) {
    this.#path = path
    // Without the caller's flags: `--input-type` and `--eval` would keep the thread from starting.
    const options = { workerData: start, execArgv: [] }
    this.#thread = new Worker(new URL('./parquet-writer-worker.js', import.meta.url), options)
  }

  /** @param columns rows by column @returns bytes that are ready, which may be none @throws SentenceTorchError */
  add(columns: unknown[][]): Promise<Uint8Array> {
    return answer(this.#thread, { columns }, this.#path)
  }

  /** @returns the last bytes @throws SentenceTorchError */
  end(): Promise<Uint8Array> {
    return answer(this.#thread, { end: true }, this.#path)
  }

  async close(): Promise<void> {
    await this.#thread.terminate()
  }
}

async function columnOf(dataset: Table, name: string, path: string) {
  const isLabel = name === dataset.labelColumn
  const all = dataset.column(name) as readonly unknown[]
  // A missing label is NaN in a dataset and null in a file.
  const values = isLabel ? all.map((value) => (Number.isNaN(value) ? null : value)) : all
  const type = await runInSlices(typeOfColumn(values, path, name))
  const whole = type.kind === 'double' ? values.findIndex(isLargeInteger) : -1
  if (whole !== -1) {
    const remedy = 'write a .jsonl file, or change it with map()'
    throw unfit({ path, column: name, row: whole }, 'an integer beyond 2^53 among fractions', remedy)
  }
  return { values, type }
}

const isLargeInteger = (value: unknown): boolean => typeof value === 'bigint'

/** The names of classes, in the form of `datasets`, which expects the types of all columns then. */
function metadataOf(dataset: Table, columns: readonly { type: ParquetType }[]): ParquetStart['metadata'] {
  const names = dataset.columnNames
  const classes = names.map((name) => dataset.classNames(name))
  if (classes.every((found) => found === undefined)) return []
  const features = names.map((name, i) => [name, featureOf(columns[i]!.type, classes[i])])
  return [{ key: FEATURES_KEY, value: JSON.stringify({ info: { features: Object.fromEntries(features) } }) }]
}

/** The thread's answer: bytes of the file. @throws SentenceTorchError when the thread fails or ends */
function answer(thread: Worker, request: ParquetRequest, path: string): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const settle = (end: () => void) => {
      thread.off('message', onMessage).off('messageerror', onError).off('error', onError).off('exit', onExit)
      end()
    }
    const onMessage = (reply: ParquetReply) =>
      settle(() => ('bytes' in reply ? resolve(reply.bytes) : reject(failed(path, new Error(reply.error)))))
    const onError = (cause: Error) => settle(() => reject(failed(path, cause)))
    const onExit = () => settle(() => reject(failed(path, new Error('the thread that writes it ended'))))
    thread.on('message', onMessage).on('messageerror', onError).on('error', onError).on('exit', onExit)
    thread.postMessage(request)
  })
}

function failed(path: string, cause: NodeJS.ErrnoException): SentenceTorchError {
  if (cause.code === 'ERR_WORKER_OUT_OF_MEMORY') {
    const message = `A row group of ${path} takes more memory than a thread may have: write a .jsonl file`
    return new SentenceTorchError('ERR_OUT_OF_MEMORY', message, { cause })
  }
  return new SentenceTorchError('ERR_INVALID_DATA', `Cannot write ${path}: ${cause.message}`, { cause })
}
