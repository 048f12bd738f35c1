import * as fsPromises from 'node:fs/promises'
import { basename, dirname, join, resolve, sep } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { invalidArgument } from '../errors.js'
import { absent, type FileOperations, hasCode, keepFiles, makeFolder, syncFile, syncFolder, syncTree } from './files.js'
import { completeSave, replaceInside } from './inside.js'
import { systemError } from './system-error.js'
import { parseTemporary, temporaryBeside, tidyFolder } from './temporary.js'

export type { FileOperations } from './files.js'

export interface ReplaceFolderOptions {
  /**
   * Whether entries of the old folder that the new one lacks stay. A function decides by their path with '/'. In folders
   * that both have, it is called for each entry. A folder that stays keeps all its content. Default true.
   */
  keepUnknown?: boolean | ((path: string) => boolean)
  /** For tests. */
  operations?: FileOperations
}

/**
 * Fills a folder so that a complete one always exists. `fill` writes into a temporary sibling, which is fsynced and renamed
 * to its place. The old folder is moved aside for that moment and then removed. If a folder cannot be replaced (a mount
 * point, a read-only parent, the working directory), `fill` writes into a temporary folder inside, and the files are moved
 * to their places when all are complete: see inside.ts. If anything fails (a full disk, an error of `fill`), the old folder
 * is unchanged and the temporary one is removed. `recoverFolder` cleans up after a killed process.
 *
 * Saves to one folder wait for each other. If several processes save, the folder of the last one is complete. A symbolic
 * link at `target` is followed.
 * @param fill may be called a second time, for another folder
 * @throws the error that occurred; ERR_INVALID_ARGUMENT when `target` is a file.
 */
export async function replaceFolder(
  target: string,
  fill: (temporary: string) => Promise<void>,
  { keepUnknown = true, operations: fs = fsPromises }: ReplaceFolderOptions = {},
): Promise<void> {
  const folder = await placeOf(fs, resolve(target))
  const keep = typeof keepUnknown === 'function' ? keepUnknown : () => keepUnknown
  await inTurn(folder, async () => {
    await recoverFolder(folder, fs)
    const old = await fs.lstat(folder).catch(absent(undefined))
    if (old && !old.isDirectory()) throw invalidArgument('target', 'a folder or a path where nothing is', target)
    if (old && (await mustStay(fs, folder, old.dev))) return replaceInside(fs, folder, fill, keep)
    try {
      await replaceBeside(fs, folder, fill, keep, old !== undefined)
    } catch (error) {
      if (!(error instanceof CannotMove)) throw error
      if (!old) throw error.cause
      await replaceInside(fs, folder, fill, keep)
    }
  })
}

/**
 * Cleans up after a process that was killed while it replaced `folder`: brings the old folder back if there is none,
 * completes the moves of files, and removes incomplete files of such processes.
 */
export async function recoverFolder(folder: string, fs: FileOperations = fsPromises): Promise<void> {
  const isThere = (await fs.lstat(folder).catch(() => undefined)) !== undefined
  if (isThere) {
    await completeSave(folder, fs)
    await tidyFolder(folder, fs)
  } else await bringBack(folder, fs)
  await tidyFolder(dirname(folder), fs)
}

async function bringBack(folder: string, fs: FileOperations): Promise<void> {
  const parent = dirname(folder)
  const asides = (await fs.readdir(parent).catch((): string[] => [])).filter((name) => {
    const found = parseTemporary(name)
    return found?.kind === 'old' && found.base === basename(folder)
  })
  let newest: { path: string; ctimeMs: number } | undefined
  for (const name of asides) {
    const path = join(parent, name)
    const { ctimeMs } = (await fs.lstat(path).catch(absent(undefined))) ?? {}
    if (ctimeMs !== undefined && ctimeMs > (newest?.ctimeMs ?? 0)) newest = { path, ctimeMs }
  }
  // Another process may be doing the same.
  if (newest) await fs.rename(newest.path, folder).catch(unlessOvertaken)
}

/**
 * Writes a file so that a complete one always exists at `path`: into a temporary sibling, fsynced and renamed.
 * @param write bytes, text, or a function that writes through the handle it gets.
 * @param options.sync false for a file in a folder that is synced as a whole later. Default true.
 * @throws ERR_FILE_SYSTEM, ERR_NOT_FOUND; errors of `write`
 */
export async function writeFileAtomic(
  path: string,
  write: Uint8Array | string | ((file: fsPromises.FileHandle) => Promise<void>),
  { sync = true, operations: fs = fsPromises }: { sync?: boolean; operations?: FileOperations } = {},
): Promise<void> {
  const final = await fs.realpath(path).catch(absent(resolve(path)))
  const temporary = temporaryBeside(final, 'tmp')
  await tidyFolder(dirname(final), fs)
  try {
    const file = await fs.open(temporary, 'wx')
    try {
      if (typeof write === 'function') await write(file)
      else await file.writeFile(write)
      if (sync) await syncFile(file)
    } finally {
      await file.close()
    }
    await fs.rename(temporary, final)
  } catch (error) {
    await fs.rm(temporary, { force: true }).catch(() => {})
    throw systemError(error, `write ${path}`)
  }
  if (sync) await syncFolder(fs, dirname(final))
}

/** The system refuses to create a folder beside the one to be replaced, or to move that one. */
class CannotMove {
  constructor(readonly cause: unknown) {}
}

const REFUSALS = ['EACCES', 'EPERM', 'EROFS', 'EBUSY', 'EXDEV', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'ENAMETOOLONG']

/** For `.catch`. */
function cannotMove(error: unknown): never {
  throw hasCode(error, ...REFUSALS) ? new CannotMove(error) : error
}

async function replaceBeside(
  fs: FileOperations,
  folder: string,
  fill: (temporary: string) => Promise<void>,
  keep: (path: string) => boolean,
  isThere: boolean,
): Promise<void> {
  const parent = dirname(folder)
  const temporary = temporaryBeside(folder, 'tmp')
  const asides: string[] = []
  try {
    await fs.mkdir(temporary).catch(cannotMove)
    await fill(temporary)
    if (isThere) await bringOver(fs, folder, temporary, keep)
    await syncTree(fs, temporary)
    await exchange(fs, temporary, folder, isThere, asides)
  } catch (error) {
    await fs.rm(temporary, { recursive: true, force: true }).catch(() => {})
    throw error
  }
  await syncFolder(fs, parent)
  // The new folder is in place, so the rest of the old one is no reason to report a failed save.
  for (const aside of asides) await clear(fs, aside, folder, keep).catch(() => {})
}

/** Removes an old folder, after copying what others put there while the new one was written. */
async function clear(
  fs: FileOperations,
  aside: string,
  folder: string,
  keep: (path: string) => boolean,
): Promise<void> {
  await bringOver(fs, aside, folder, keep)
  await fs.rm(aside, { recursive: true, force: true })
}

/** `keepFiles` while other processes replace one of the two folders: copied entries stay, and the rest is tried again. */
async function bringOver(fs: FileOperations, from: string, to: string, keep: (path: string) => boolean): Promise<void> {
  for (let tries = 50; ; tries--) {
    try {
      return await keepFiles(fs, from, to, keep)
    } catch (error) {
      // Between the two renames of another process there is no folder, and its files vanish from the moved one.
      if (tries === 0 || !hasCode(error, 'ENOENT')) throw error
      await setTimeout(10)
    }
  }
}

/** Renames `temporary` to `folder`. @param asides receives the paths to which existing entries were moved */
async function exchange(
  fs: FileOperations,
  temporary: string,
  folder: string,
  isThere: boolean,
  asides: string[],
): Promise<void> {
  for (let occupied = isThere; ; occupied = true) {
    const aside = temporaryBeside(folder, 'old')
    const moved =
      occupied &&
      (await fs
        .rename(folder, aside)
        .then(() => true, absent(false))
        .catch(cannotMove))
    if (moved) asides.push(aside)
    try {
      return await fs.rename(temporary, folder)
    } catch (error) {
      // Another process was faster. Its folder is the old one now.
      if (hasCode(error, 'ENOTEMPTY', 'EEXIST')) continue
      if (moved) await fs.rename(asides.pop()!, folder).catch(unlessOvertaken)
      return cannotMove(error)
    }
  }
}

/** For `.catch`: another process put a folder there first. */
function unlessOvertaken(error: unknown): void {
  if (!hasCode(error, 'ENOENT', 'ENOTEMPTY', 'EEXIST')) throw error
}

/**
 * Whether a folder cannot be moved, or not without moving what belongs to others. Checked first, so that it is not written
 * twice.
 */
async function mustStay(fs: FileOperations, folder: string, device: number): Promise<boolean> {
  // If a process's working directory is moved, the process stays in the old folder.
  if (`${workingDirectory()}${sep}`.startsWith(`${folder}${sep}`) || dirname(folder) === folder) return true
  if ((await fs.lstat(dirname(folder))).dev !== device) return true
  for (const entry of await fs.readdir(folder, { withFileTypes: true }).catch(absent([]))) {
    if (!entry.isDirectory()) continue
    const inner = await fs.lstat(join(folder, entry.name)).catch(absent(undefined))
    if (inner && inner.dev !== device) return true
  }
  return false
}

function workingDirectory(): string {
  try {
    return process.cwd()
  } catch {
    return '' // It was removed.
  }
}

/** The path without symbolic links. Missing parents are created. */
async function placeOf(fs: FileOperations, path: string): Promise<string> {
  const found = await fs.realpath(path).catch(absent(undefined))
  if (found !== undefined) return found
  await makeFolder(dirname(path), fs)
  return join(await fs.realpath(dirname(path)), basename(path))
}

/** The running work of this process, by folder. */
const running = new Map<string, Promise<void>>()

/** Begins `work` when all earlier work on the same folder is done. */
async function inTurn(folder: string, work: () => Promise<void>): Promise<void> {
  const before = running.get(folder) ?? Promise.resolve()
  const own = before.catch(() => {}).then(work)
  running.set(folder, own)
  try {
    await own
  } finally {
    if (running.get(folder) === own) running.delete(folder)
  }
}
