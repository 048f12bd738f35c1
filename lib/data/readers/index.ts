import { statSync } from 'node:fs'
import { invalidArgument, SentenceTorchError } from '../../errors.js'
import { explain, isFolder } from '../../io/open-file.js'
import { columnsOf } from '../column-choice.js'
import { checkDtype, type OnBadRow, type ReaderOptions, type ReadOptions, type TableReader } from './table.js'

/** One line for each format: its reader, and the options that it takes beside `columns`. */
const readers: Record<string, [TableReader, (keyof ReadOptions)[]]> = {
  jsonl: [late(async () => (await import('./jsonl.js')).readJsonl), []],
  json: [late(async () => (await import('./json.js')).readJson), ['field']],
  csv: [late(async () => (await import('./csv.js')).readCsv), ['header', 'dtype', 'textLabels']],
  tsv: [late(async () => (await import('./tsv.js')).readTsv), ['header', 'dtype', 'textLabels']],
  parquet: [late(async () => (await import('./parquet.js')).readParquet), []],
}

/** A reader that is loaded with the first file that needs it. A process that only encodes loads none. */
function late(load: () => Promise<TableReader>): TableReader {
  return async function* (path, options) {
    yield* (await load())(path, options)
  }
}

const notBuilt = ['arrow', 'zst', 'bz2', 'xz']

/**
 * Opens a file with the reader for its extension. Each call opens it again.
 * @param onBadRow gets the errors of rows that cannot be read, which are then left out. Parquet has none.
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT for no file name, a folder, an unknown extension, or options that do
 * not belong to it; ERR_NOT_IMPLEMENTED for known extensions.
 */
export function opener(path: string, options: ReadOptions = {}, onBadRow?: OnBadRow): () => ReturnType<TableReader> {
  if (typeof path !== 'string') throw invalidArgument('path', 'a file name', path)
  const extension = /\.([^./\\]+)$/.exec(path.toLowerCase().replace(/\.gz$/, ''))?.[1] ?? ''
  const found = Object.hasOwn(readers, extension) ? readers[extension] : undefined
  const zippedParquet = extension === 'parquet' && path.toLowerCase().endsWith('.gz')
  if (found && !zippedParquet) {
    const [read, takes] = found
    const checked = { ...options, columns: columnsOf(options) }
    checkReadOptions(path, checked, takes)
    return () => read(path, { ...checked, onBadRow })
  }
  if (notBuilt.includes(extension)) {
    const message = `Reading .${extension} (${path}) is not built yet; convert it to .jsonl, .csv or .parquet`
    throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', message)
  }
  if (isAFolder(path)) throw isFolder(path)
  throw invalidArgument('path', 'a file ending in .jsonl, .json, .csv, .tsv (also with .gz) or .parquet', path)
}

function isAFolder(path: string): boolean {
  if (path.includes('\0')) return false
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
  } catch (error) {
    throw explain(error, path)
  }
}

function checkReadOptions(path: string, options: ReaderOptions, takes: readonly string[]): void {
  const { columns, header, dtype, field } = options
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || name === 'columns' || takes.includes(name)) continue
    const endings = Object.keys(readers).filter((ending) => (readers[ending]![1] as string[]).includes(name))
    throw invalidArgument(`the option ${name}`, `a file ending in .${endings.join(' or .')}`, path)
  }
  if (header !== undefined && typeof header !== 'boolean') throw invalidArgument('header', 'true or false', header)
  if (header === false && !columns?.length)
    throw invalidArgument('columns', 'the names of all columns, without header,', columns)
  if (field !== undefined && typeof field !== 'string') throw invalidArgument('field', 'a key', field)
  checkDtype(dtype)
}
