import { Worker } from 'node:worker_threads'
import { type ErrorCode, SentenceTorchError } from '../../errors.js'
import { indexOf, type ReaderOptions, type Table } from './table.js'

export interface ParquetRequest {
  path: string
  columns: readonly string[] | undefined
  floats: FloatsColumn | undefined
}

/** A column of lists of as many numbers each. */
export interface FloatsColumn {
  name: string
  width: number
}

/** Some rows. Where the column of floats is as it should be, `floats` has its numbers, and the column nothing. */
export interface ParquetTable extends Table {
  floats?: Float32Array
}

export type ParquetReply =
  | ParquetTable
  | { done: true }
  | { missing: string; present: string[] }
  | { error: string; code: ErrorCode | undefined }

/**
 * Parquet files, compressed or not, read by hyparquet in a thread, because decoding a row group can take seconds. Lists
 * become arrays, integers become numbers, or bigints where a number is not exact, and absent values become null. One
 * row group is in memory at a time.
 * @throws SentenceTorchError ERR_NOT_FOUND; ERR_INVALID_FILE for a damaged file; ERR_INVALID_ARGUMENT for an unknown
 * column
 */
export async function* readParquet(
  path: string,
  options: ReaderOptions & { floats?: FloatsColumn } = {},
): AsyncGenerator<ParquetTable, void, undefined> {
  const request: ParquetRequest = { path, columns: options.columns, floats: options.floats }
  // Without the caller's flags: `--input-type` and `--eval` would keep the thread from starting.
  const thread = new Worker(new URL('./parquet-worker.js', import.meta.url), { workerData: request, execArgv: [] })
  let names: string[] | undefined
  try {
    for (;;) {
      const answer = nextReply(thread, path)
      thread.postMessage('next')
      const reply = await answer
      if ('done' in reply) return
      if ('missing' in reply) indexOf(reply.present, reply.missing, path)
      else if ('error' in reply) {
        if (reply.code !== undefined) throw new SentenceTorchError(reply.code, reply.error)
        throw damaged(path, reply.error)
      } else {
        names ??= reply.names
        yield { ...reply, names }
      }
    }
  } finally {
    await thread.terminate()
  }
}

/** The thread's next message. @throws SentenceTorchError when the thread ends */
function nextReply(thread: Worker, path: string): Promise<ParquetReply> {
  return new Promise((resolve, reject) => {
    const onMessage = (reply: ParquetReply) => settle(() => resolve(reply))
    const onError = (cause: NodeJS.ErrnoException) => settle(() => reject(failed(path, cause)))
    const onExit = () => settle(() => reject(damaged(path, 'the thread that reads it ended')))
    const settle = (end: () => void) => {
      thread.off('message', onMessage).off('messageerror', onError).off('error', onError).off('exit', onExit)
      end()
    }
    thread.on('message', onMessage).on('messageerror', onError).on('error', onError).on('exit', onExit)
  })
}

function failed(path: string, cause: NodeJS.ErrnoException): SentenceTorchError {
  if (cause.code !== 'ERR_WORKER_OUT_OF_MEMORY') return damaged(path, cause.message, cause)
  const message = `${path} takes more memory than a thread may have: write it with smaller row groups`
  return new SentenceTorchError('ERR_OUT_OF_MEMORY', message, { cause })
}

function damaged(path: string, what: string, cause?: unknown): SentenceTorchError {
  return new SentenceTorchError('ERR_INVALID_FILE', `Expected a whole Parquet file in ${path}: ${what}`, { cause })
}
