import { once } from 'node:events'
import { stat } from 'node:fs/promises'
import { Worker } from 'node:worker_threads'
import { SentenceTorchError } from '../../errors.js'
import { explain, isFolder } from '../../io/open-file.js'
import { indexOf, type ReaderOptions, type Table } from './table.js'

export interface ParquetRequest {
  path: string
  columns: readonly string[] | undefined
}

export type ParquetReply =
  | Table
  | { done: true }
  | { missing: string; present: string[] }
  | { error: string; code: string | undefined }

/**
 * Parquet files, compressed or not, through the package hyparquet in a thread of its own: decoding a row group can take
 * seconds. Lists come as arrays, integers as numbers, those that
 * a number cannot hold exactly as bigints, absent values as null. One row group is in memory at a time.
 * @throws SentenceTorchError ERR_NOT_FOUND; ERR_INVALID_FILE for a damaged file; ERR_INVALID_ARGUMENT for an unknown column
 */
export async function* readParquet(path: string, options: ReaderOptions = {}): AsyncGenerator<Table, void, undefined> {
  try {
    if ((await stat(path)).isDirectory()) throw isFolder(path)
  } catch (error) {
    throw explain(error, path)
  }
  const request: ParquetRequest = { path, columns: options.columns }
  // Not the caller's flags: `--input-type` and `--eval` would keep the thread from starting.
  const thread = new Worker(new URL('./parquet-worker.js', import.meta.url), { workerData: request, execArgv: [] })
  try {
    for (;;) {
      thread.postMessage('next')
      const [reply] = (await once(thread, 'message')) as [ParquetReply]
      if ('done' in reply) return
      if ('missing' in reply) indexOf(reply.present, reply.missing, path)
      else if ('error' in reply) {
        if (reply.code === 'ERR_NOT_IMPLEMENTED') throw new SentenceTorchError(reply.code, reply.error)
        throw new SentenceTorchError('ERR_INVALID_FILE', `Expected a whole Parquet file in ${path}: ${reply.error}`)
      } else yield reply
    }
  } finally {
    await thread.terminate()
  }
}
