// Replaces the files of a folder that has to stay where it is.
//
// `<folder>/.sentence-torch-save.tmp-<id of the process>/<id>/` holds the new files (`new`), a journal that names the old ones which go
// (`gone.json`), and room for what makes way (`old`). When all of it is on the disk, one rename to `.sentence-torch-save`
// decides: before it the old files stand untouched, after it every process that comes by moves the rest to its place. So the
// end is the same whoever is killed, and two processes cannot mix their files: the name can be taken once.
// What moves are entries of the folder itself by their plain names, and of real folders in it: a hostile journal cannot reach
// further.

import { constants } from 'node:fs'
import * as fsPromises from 'node:fs/promises'
import { join } from 'node:path'
import { SentenceTorchError } from '../errors.js'
import { absent, type FileOperations, hasCode, PENDING, sync, syncFile, syncFolder, syncTree } from './files.js'
import { newId, temporaryBeside } from './temporary.js'

const JOURNAL = 'gone.json'

/** Where new files are, where they belong, and where old ones go. */
interface Places {
  fresh: string
  folder: string
  old: string
}

/**
 * Fills `folder` anew and leaves it, the folder itself, in its place.
 * @param keep whether an old entry that the new files lack stays
 * @throws what failed; before the files were whole the folder is then as it was, afterwards `completeSave` goes on.
 */
export async function replaceInside(
  fs: FileOperations,
  folder: string,
  fill: (temporary: string) => Promise<void>,
  keep: (path: string) => boolean,
): Promise<void> {
  const staging = temporaryBeside(join(folder, PENDING.slice(1)), 'tmp')
  const work = join(staging, newId())
  const fresh = join(work, 'new')
  try {
    for (const path of [staging, work, fresh, join(work, 'old')]) await fs.mkdir(path)
    await fill(fresh)
    await checkWritable(fs, fresh, folder)
    await syncTree(fs, staging)
    for (;;) {
      await writeJournal(fs, work, await goneEntries(fs, folder, fresh, keep))
      try {
        await fs.rename(staging, join(folder, PENDING))
        break
      } catch (error) {
        if (!hasCode(error, 'ENOTEMPTY', 'EEXIST')) throw error
        // Another process saves here and was first.
        await completeSave(folder, fs)
      }
    }
  } catch (error) {
    await fs.rm(staging, { recursive: true, force: true }).catch(() => {})
    throw error
  }
  await syncFolder(fs, folder)
  await completeSave(folder, fs)
}

/**
 * Ends a save whose files are whole but not all in their places, because its process was killed or is at it just now. Several
 * processes may do so at once. Of what is no such save nothing is believed.
 */
export async function completeSave(folder: string, fs: FileOperations = fsPromises): Promise<void> {
  const pending = join(folder, PENDING)
  if (!(await isFolder(fs, pending))) return
  for (const name of await fs.readdir(pending).catch(absent([]))) {
    const work = join(pending, name)
    const [fresh, old] = [join(work, 'new'), join(work, 'old')]
    if ((await isFolder(fs, work)) && (await isFolder(fs, fresh)) && (await isFolder(fs, old))) {
      // Without a journal everything is done but the tidying up.
      const gone = await readJournal(fs, join(work, JOURNAL))
      for (const path of gone ?? []) {
        if (await isInside(fs, folder, path)) await makeWay(fs, join(folder, path), join(old, encodeURIComponent(path)))
      }
      const entries = gone ? await fs.readdir(fresh).catch(absent([])) : []
      for (const entry of entries) await putInPlace(fs, { fresh, folder, old }, entry)
      await syncFolder(fs, folder)
      await fs.rm(join(work, JOURNAL), { force: true })
    }
    await fs.rm(work, { recursive: true, force: true })
  }
  // Not empty: the next save of another process.
  await fs.rmdir(pending).catch(() => {})
}

/**
 * A file takes the place of a file at once. Of folders of the same name every file does so by itself: not every folder can be
 * moved, and what else is in it stays. Whatever else is there makes way first.
 * @param path below the model's folder
 */
async function putInPlace(fs: FileOperations, { fresh, folder, old }: Places, path: string): Promise<void> {
  const [from, to] = [join(fresh, path), join(folder, path)]
  if ((await isFolder(fs, from)) && (await isFolder(fs, to))) {
    for (const name of await fs.readdir(from).catch(absent([])))
      await putInPlace(fs, { fresh, folder, old }, join(path, name))
    return syncFolder(fs, to)
  }
  try {
    await fs.rename(from, to).catch(absent(undefined))
  } catch (error) {
    if (!isOccupied(error)) throw error
    await makeWay(fs, to, join(old, encodeURIComponent(path)))
    await fs.rename(from, to).catch(absent(undefined))
  }
}

/** Moves an old entry away. It may be done already; and where another process has put a new one there, it stays. */
async function makeWay(fs: FileOperations, path: string, aside: string): Promise<void> {
  await fs.rename(path, aside).catch(async (error) => {
    // Folders of a lower layer of an overlay cannot be moved.
    if (hasCode(error, 'EXDEV')) await fs.rm(path, { recursive: true, force: true })
    else if (!isOccupied(error) && !hasCode(error, 'ENOENT')) throw error
  })
}

/** What can be known to fail shall fail before anything moves. @throws EACCES or EROFS for a subfolder of both */
async function checkWritable(fs: FileOperations, fresh: string, folder: string): Promise<void> {
  // Another process may take a folder away meanwhile.
  await fs.access(folder, constants.W_OK | constants.X_OK).catch(absent(undefined))
  for (const name of await fs.readdir(fresh)) {
    const [from, to] = [join(fresh, name), join(folder, name)]
    if ((await isFolder(fs, from)) && (await isFolder(fs, to))) await checkWritable(fs, from, to)
  }
}

function isOccupied(error: unknown): boolean {
  return hasCode(error, 'ENOTEMPTY', 'EEXIST', 'EISDIR', 'ENOTDIR')
}

/** Paths with '/' of what goes: below folders that the old and the new have, too. */
async function goneEntries(
  fs: FileOperations,
  folder: string,
  fresh: string,
  keep: (path: string) => boolean,
  prefix = '',
): Promise<string[]> {
  const entries = new Set(await fs.readdir(join(fresh, prefix)))
  const gone: string[] = []
  for (const name of await fs.readdir(join(folder, prefix)).catch(absent([]))) {
    const path = prefix + name
    if (path.startsWith(PENDING)) continue
    if (!entries.has(name)) {
      if (!keep(path)) gone.push(path)
    } else if ((await isFolder(fs, join(folder, path))) && (await isFolder(fs, join(fresh, path)))) {
      gone.push(...(await goneEntries(fs, folder, fresh, keep, `${path}/`)))
    }
  }
  return gone
}

/** Whether all folders of a path are real ones: a link would lead elsewhere. */
async function isInside(fs: FileOperations, folder: string, path: string): Promise<boolean> {
  const parents = path.split('/').slice(0, -1)
  for (const i of parents.keys()) {
    if (!(await isFolder(fs, join(folder, ...parents.slice(0, i + 1))))) return false
  }
  return true
}

async function writeJournal(fs: FileOperations, work: string, gone: readonly string[]): Promise<void> {
  const file = await fs.open(join(work, JOURNAL), 'w')
  try {
    await file.writeFile(JSON.stringify(gone))
    await syncFile(file)
  } finally {
    await file.close()
  }
  await sync(fs, work)
}

/** @returns undefined without one. @throws ERR_INVALID_FILE for anything but a list of paths below a folder */
async function readJournal(fs: FileOperations, path: string): Promise<string[] | undefined> {
  const found = await fs.lstat(path).catch(absent(undefined))
  if (found === undefined) return undefined
  let gone: unknown
  try {
    // Whoever reads a pipe waits for a writer.
    gone = found.isFile() && JSON.parse(await fs.readFile(path, 'utf8'))
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    if (!(error instanceof SyntaxError)) throw error
  }
  // A folder can hold any name but these.
  const isNone = /^\.{0,2}$|[\0\p{Surrogate}]/u
  const isPath = (path: unknown) => typeof path === 'string' && !path.split('/').some((name) => isNone.test(name))
  if (Array.isArray(gone) && gone.every(isPath)) return gone as string[]
  throw new SentenceTorchError('ERR_INVALID_FILE', `${path} is no list of paths: it was not written by this package`)
}

async function isFolder(fs: FileOperations, path: string): Promise<boolean> {
  const found = await fs.lstat(path).catch(noFolder)
  return found?.isDirectory() === true
}

/** For `.catch`: nothing, where there is no folder, or none that could be looked into. */
function noFolder(error: unknown): undefined {
  if (!hasCode(error, 'ENOENT', 'ENOTDIR', 'EACCES')) throw error
}
