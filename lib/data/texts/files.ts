import { readdir, stat } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { invalidArgument, SentenceTorchError } from '../../errors.js'
import { throwIfAborted } from '../../io/abort.js'
import { explain } from '../../io/open-file.js'

/** What a file holds, by the ending of its name. */
export type TextFormat = 'text' | 'markdown' | 'html'

const FORMATS: Readonly<Record<string, TextFormat>> = {
  '.txt': 'text',
  '.md': 'markdown',
  '.markdown': 'markdown',
  '.html': 'html',
  '.htm': 'html',
}
const ENDINGS = Object.keys(FORMATS).join(', ')

/** Programs that make a text of other files. */
const CONVERTERS: Readonly<Record<string, string>> = {
  '.pdf': '`pdftotext` makes a .txt file of a PDF',
  '.doc': '`soffice --convert-to txt` makes a .txt file of it',
  '.docx': '`pandoc -t plain` makes a .txt file of it',
  '.epub': '`pandoc -t plain` makes a .txt file of it',
  '.odt': '`pandoc -t plain` makes a .txt file of it',
  '.rtf': '`pandoc -t plain` makes a .txt file of it',
  '.rst': '`pandoc -t plain` makes a .txt file of it',
}
const FOR_ROWS = ['.jsonl', '.json', '.csv', '.tsv', '.parquet', '.gz']

export interface TextFile {
  path: string
  format: TextFormat
}

export interface WalkOptions {
  /** Leaves out the files of a folder that cannot be read. */
  skipOthers: boolean
  signal: AbortSignal | undefined
}

/**
 * The files in `paths`, and in folders and their folders, in the order of their names. Hidden files and folders inside a
 * folder are left out. A folder that several links name is read once, so links in circles end.
 * @throws SentenceTorchError ERR_NOT_FOUND; ERR_INVALID_ARGUMENT for a file that cannot be read and for a folder without
 * any that can
 */
export async function* textFiles(
  paths: readonly string[],
  options: WalkOptions,
): AsyncGenerator<TextFile, void, undefined> {
  const seen = new Set<string>()
  for (const path of paths) {
    const stats = await statOf(path)
    if (!stats.isDirectory()) {
      yield { path, format: formatOf(path) ?? refuse(path) }
      continue
    }
    let count = 0
    for await (const file of filesBelow(path, seen, options)) {
      count++
      yield file
    }
    if (count === 0) throw invalidArgument('paths', `a folder with files ending in ${ENDINGS}`, path)
  }
}

async function* filesBelow(
  folder: string,
  seen: Set<string>,
  options: WalkOptions,
): AsyncGenerator<TextFile, void, undefined> {
  throwIfAborted(options.signal, `Reading ${folder}`)
  const { dev, ino } = await statOf(folder)
  const id = `${dev}:${ino}`
  if (seen.has(id)) return
  seen.add(id)
  for (const name of await namesIn(folder)) {
    if (name.startsWith('.')) continue
    const path = join(folder, name)
    const format = formatOf(name)
    // A folder may be called "notes.txt".
    if ((await statOf(path)).isDirectory()) yield* filesBelow(path, seen, options)
    else if (format !== undefined) yield { path, format }
    else if (!options.skipOthers) refuse(path, `; { skipOthers: true } leaves such files of ${folder} out`)
  }
}

const formatOf = (path: string): TextFormat | undefined => FORMATS[extname(path).toLowerCase()]

function refuse(path: string, more = ''): never {
  const ending = extname(path).toLowerCase()
  const remedy = FOR_ROWS.includes(ending) ? 'Dataset.fromFile reads files of rows' : CONVERTERS[ending]
  const hint = remedy === undefined ? '' : `: ${remedy}`
  throw new SentenceTorchError(
    'ERR_INVALID_ARGUMENT',
    `Expected files ending in ${ENDINGS}, found ${path}${hint}${more}`,
  )
}

/** Sorted by code units, so that the order is the same on every system. */
async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort()
  } catch (error) {
    throw explain(error, folder)
  }
}

async function statOf(path: string) {
  if (path.includes('\0')) throw invalidArgument('paths', 'names without the character NUL', path)
  try {
    return await stat(path)
  } catch (error) {
    throw explain(error, path)
  }
}
