/** What folders are, as a SHA-256: the same content gives the same one, wherever it came from. */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fileSha256 } from '../io/file-hash.js'

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
