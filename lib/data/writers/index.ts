import type { FileHandle } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { invalidArgument, SentenceTorchError } from '../../errors.js'
import { throwIfAborted } from '../../io/abort.js'
import { writeFileAtomic } from '../../io/atomic.js'
import { checkOptions, checkSignal, ownCopy } from '../../options.js'
import { checkDtype, type FieldOptions } from '../readers/table.js'
import type { Table } from '../table.js'
import { TimeSlice } from '../time-slice.js'

export interface WriteOptions extends FieldOptions {
  /** Columns of a CSV or TSV file whose texts look like numbers. Read the file with the same option. */
  dtype?: Readonly<Record<string, 'string'>> | undefined
  /** Stops writing. The file then stays as it was. */
  signal?: AbortSignal | undefined
}

type Lines = (dataset: Table, path: string, options: FieldOptions) => Iterable<string>

/** Writers of text files, by ending, loaded with the first file that needs them. */
const writers: Readonly<Record<string, () => Promise<Lines>>> = {
  jsonl: async () => (await import('./jsonl.js')).jsonLines,
  csv: async () => (await import('./fields.js')).csvLines,
  tsv: async () => (await import('./fields.js')).tsvLines,
}

/** Characters that are written at once. */
const CHUNK = 1 << 16

/** Writes a dataset in the format of the file's ending. A whole file is always at `path`, the old one or the new one. */
export async function writeDataset(dataset: Table, path: string, options: WriteOptions = {}): Promise<void> {
  checkOptions('Dataset.toFile', options, ['dtype', 'signal'])
  if (typeof path !== 'string' || path.includes('\0')) throw invalidArgument('path', 'a file name', path)
  const { dtype, signal } = options
  checkSignal(signal)
  const isZipped = /\.gz$/i.test(path)
  const ending = /\.([^./\\]+)$/.exec(path.toLowerCase().replace(/\.gz$/, ''))?.[1] ?? ''
  const isParquet = ending === 'parquet' && !isZipped
  if (!isParquet && !Object.hasOwn(writers, ending)) {
    throw invalidArgument('path', 'a file ending in .jsonl, .csv, .tsv (also with .gz) or .parquet', path)
  }
  if (dtype !== undefined && ending !== 'csv' && ending !== 'tsv') {
    throw invalidArgument('the option dtype', 'a file ending in .csv or .tsv', path)
  }
  checkDtype(dtype)
  for (const name of Object.keys(dtype ?? {})) dataset.columnKind(name)
  if (dataset.columnNames.length === 0) {
    throw new SentenceTorchError('ERR_INVALID_DATA', `Expected a dataset with columns to write to ${path}, found none`)
  }
  const own = ownCopy({ dtype })
  throwIfAborted(signal, `Writing ${path}`)
  await writeFileAtomic(path, async (file) => {
    if (isParquet) {
      const { writeParquet } = await import('./parquet.js')
      return writeParquet(file, dataset, path, signal)
    }
    const lines = (await writers[ending]!())(dataset, path, own)
    await writeChunks(file, chunksOf(lines, path, signal), isZipped)
  })
}

async function writeChunks(file: FileHandle, chunks: AsyncIterable<string>, isZipped: boolean): Promise<void> {
  const write = async (parts: AsyncIterable<string | Uint8Array>) => {
    for await (const part of parts) await file.writeFile(part)
  }
  if (isZipped) await pipeline(Readable.from(chunks), createGzip(), write)
  else await write(chunks)
}

async function* chunksOf(
  lines: Iterable<string>,
  path: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<string, void, undefined> {
  const slice = new TimeSlice()
  let parts: string[] = []
  let length = 0
  for (const line of lines) {
    parts.push(line)
    length += line.length
    if (slice.isOver) {
      await slice.yield()
      throwIfAborted(signal, `Writing ${path}`)
    }
    if (length < CHUNK) continue
    yield parts.join('')
    parts = []
    length = 0
  }
  if (parts.length > 0) yield parts.join('')
}
