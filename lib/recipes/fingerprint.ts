/** What data and folders are, as a SHA-256: the same content gives the same one, wherever it came from. */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Dataset } from '../data/dataset.js'
import { TimeSlice } from '../data/time-slice.js'
import { fileSha256 } from '../io/file-hash.js'

const PIECE_CHARACTERS = 1 << 16

/** Of the names of the columns and of all values, row by row. It does not block the event loop. */
export async function datasetSha256(dataset: Dataset): Promise<string> {
  const hash = createHash('sha256').update(`${JSON.stringify(dataset.columnNames)}\n`)
  const columns = dataset.columnNames.map((name) => dataset.column(name))
  const slice = new TimeSlice()
  let piece = ''
  for (let row = 0; row < dataset.length; row++) {
    piece += `${JSON.stringify(columns.map((values) => values[row]!))}\n`
    if (piece.length < PIECE_CHARACTERS) continue
    hash.update(piece)
    piece = ''
    await slice.yield()
  }
  return hash.update(piece).digest('hex')
}

/** Of all files of a folder: their paths, in order, and their bytes. @throws the system's error */
export async function folderSha256(folder: string): Promise<string> {
  const hash = createHash('sha256')
  for (const path of await filesIn(folder))
    hash.update(`${JSON.stringify(path)} ${await fileSha256(join(folder, path))}\n`)
  return hash.digest('hex')
}

/** Of a model as a recipe takes it: of a folder its content, else its hub id. */
export async function modelKey(source: string): Promise<string> {
  return existsSync(source) ? folderSha256(source) : source
}

/** The paths of all files in a folder, with '/', sorted. */
export async function filesIn(folder: string, prefix = ''): Promise<string[]> {
  const found: string[] = []
  for (const entry of await readdir(join(folder, prefix), { withFileTypes: true })) {
    const path = prefix === '' ? entry.name : `${prefix}/${entry.name}`
    // A link may lead to a folder, too.
    const isFolder = entry.isSymbolicLink() ? (await stat(join(folder, path))).isDirectory() : entry.isDirectory()
    if (isFolder) found.push(...(await filesIn(folder, path)))
    else found.push(path)
  }
  return found.sort()
}
