import { invalidArgument, SentenceTorchError } from '../../errors.js'
import { readCsv } from './csv.js'
import { readJson } from './json.js'
import { readJsonl } from './jsonl.js'
import { readParquet } from './parquet.js'
import type { TableReader } from './table.js'
import { readTsv } from './tsv.js'

/** One line per format. */
const readers: Record<string, TableReader> = {
  jsonl: readJsonl,
  json: readJson,
  csv: readCsv,
  tsv: readTsv,
  parquet: readParquet,
}
const notBuilt = ['arrow', 'zst', 'bz2', 'xz']

/**
 * The reader for the ending of `path`.
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT for no file name or an unknown ending, ERR_NOT_IMPLEMENTED for known ones.
 */
export function readerOf(path: string): TableReader {
  if (typeof path !== 'string') throw invalidArgument('path', 'a file name', path)
  const extension = /\.([^./\\]+)$/.exec(path.toLowerCase().replace(/\.gz$/, ''))?.[1] ?? ''
  const read = Object.hasOwn(readers, extension) ? readers[extension] : undefined
  const zippedParquet = extension === 'parquet' && path.toLowerCase().endsWith('.gz')
  if (read && !zippedParquet) return read
  if (notBuilt.includes(extension)) {
    const message = `Reading .${extension} (${path}) is not built yet; convert it to .jsonl, .csv or .parquet`
    throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', message)
  }
  throw invalidArgument('path', 'a file ending in .jsonl, .json, .csv, .tsv (also with .gz) or .parquet', path)
}
