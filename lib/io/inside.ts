// Replaces the files of a folder that cannot be moved.
//
// `<folder>/.sentence-torch-save.tmp-<id of the process>/<id>/` holds the new files (`new`), a journal that names the old
// ones to remove (`gone.json`), and a place for replaced files (`old`). When all of it is on the disk, one rename to
// `.sentence-torch-save` decides. Before it the old files are unchanged. After it, every process that comes by moves the
// remaining files to their places. So the result is the same whichever process is killed, and two processes cannot mix
// their files, because only one can take the name. Only entries of the folder itself, by their plain names, and of real
// folders in it are moved, so a hostile journal cannot reach other files.

import { constants } from 'node:fs'
import * as fsPromises from 'node:fs/promises'
import { join } from 'node:path'
import { SentenceTorchError } from '../errors.js'
import { absent, type FileOperations, hasCode, PENDING, sync, syncFile, syncFolder, syncTree } from './files.js'
import { newId, temporaryBeside } from './temporary.js'

const JOURNAL = 'gone.json'

/** The places of the new files, of the model, and of the replaced files. */
interface Places {
  fresh: string
  folder: string
  old: string
}

/**
 * Fills `folder` with new content and leaves the folder itself in its place.
 * @param keep whether an old entry that the new files lack stays
 * @throws the error that occurred; before the new files are complete, the folder is unchanged; afterwards `completeSave`
 * finishes the work.
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
        // Another process is saving here and was first.
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
 * Completes a save whose files are complete but not all in their places, because its process was killed or is still
 * running. Several processes may do so at once. Anything that does not look like such a save is ignored.
 */
export async function completeSave(folder: string, fs: FileOperations = fsPromises): Promise<void> {
  const pending = join(folder, PENDING)
  if (!(await isFolder(fs, pending))) return
  for (const name of await fs.readdir(pending).catch(absent([]))) {
    const work = join(pending, name)
    const [fresh, old] = [join(work, 'new'), join(work, 'old')]
    if ((await isFolder(fs, work)) && (await isFolder(fs, fresh)) && (await isFolder(fs, old))) {
      // Without a journal, only tidying up is left.
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
  // Not empty, because another process is saving.
  await fs.rmdir(pending).catch(() => {})
}

/**
 * Moves a file over a file in one step. Folders of the same name are merged file by file, because not every folder can be
 * moved, and their other content stays. Anything else in the way is moved aside first.
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

/** Moves an old entry aside. It may have been moved already. If another process has put a new one there, that stays. */
async function makeWay(fs: FileOperations, path: string, aside: string): Promise<void> {
  await fs.rename(path, aside).catch(async (error) => {
    // Folders of an overlay's lower layer cannot be moved.
    if (hasCode(error, 'EXDEV')) await fs.rm(path, { recursive: true, force: true })
    else if (!isOccupied(error) && !hasCode(error, 'ENOENT')) throw error
  })
}

/**
 * Checks before anything moves, so that foreseeable failures come first. @throws EACCES or EROFS for a subfolder of both
 */
async function checkWritable(fs: FileOperations, fresh: string, folder: string): Promise<void> {
  // Another process may remove a folder meanwhile.
  await fs.access(folder, constants.W_OK | constants.X_OK).catch(absent(undefined))
  for (const name of await fs.readdir(fresh)) {
    const [from, to] = [join(fresh, name), join(folder, name)]
    if ((await isFolder(fs, from)) && (await isFolder(fs, to))) await checkWritable(fs, from, to)
  }
}

function isOccupied(error: unknown): boolean {
  return hasCode(error, 'ENOTEMPTY', 'EEXIST', 'EISDIR', 'ENOTDIR')
}

/** Paths with '/' of the entries to remove, also below folders that the old and the new model have. */
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

/** Whether all folders of a path are real ones. A link would lead elsewhere. */
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
    // Opening a pipe would wait for a writer.
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

/** For `.catch`: nothing for a folder that is missing or cannot be read. */
function noFolder(error: unknown): undefined {
  if (!hasCode(error, 'ENOENT', 'ENOTDIR', 'EACCES')) throw error
}
