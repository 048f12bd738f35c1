import { randomBytes } from 'node:crypto'
import * as fsPromises from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { invalidArgument } from '../errors.js'

/** The file operations in use; tests put failing ones in their place. */
export type FileOperations = Pick<
  typeof fsPromises,
  'copyFile' | 'link' | 'lstat' | 'mkdir' | 'open' | 'readdir' | 'readlink' | 'realpath' | 'rename' | 'rm' | 'symlink'
>

export interface ReplaceFolderOptions {
  /** Whether files of the old folder that the new one lacks stay; a function decides by path relative to the folder, with
   *  "/" between names. Default true. */
  keepUnknown?: boolean | ((relativePath: string) => boolean)
  /** For tests. */
  operations?: FileOperations
}

/**
 * Fills a folder so that at `target` there is always a whole one: `fill` writes into a temporary sibling, which is fsynced
 * and renamed into place. The old folder is moved aside for that moment, restored if the rename fails, then removed. When
 * anything fails (a full disk, an error of `fill`) the old folder is as it was and the temporary one is gone.
 * A symbolic link at `target` is followed.
 * @throws what failed; ERR_INVALID_ARGUMENT when `target` is a file.
 */
export async function replaceFolder(
  target: string,
  fill: (temporary: string) => Promise<void>,
  { keepUnknown = true, operations: fs = fsPromises }: ReplaceFolderOptions = {},
): Promise<void> {
  const final = await fs.realpath(target).catch(absent(resolve(target)))
  const old = await fs.lstat(final).catch(absent(undefined))
  if (old && !old.isDirectory()) throw invalidArgument('target', 'a folder or a path where nothing is', target)
  await fs.mkdir(dirname(final), { recursive: true })
  const temporary = siblingOf(final, 'tmp')
  const aside = siblingOf(final, 'old')
  try {
    await fs.mkdir(temporary)
    await fill(temporary)
    if (old && keepUnknown !== false) {
      await keepFiles(fs, final, temporary, keepUnknown === true ? () => true : keepUnknown)
    }
    await syncTree(fs, temporary)
    if (old) await fs.rename(final, aside)
    try {
      await fs.rename(temporary, final)
    } catch (error) {
      if (old) await fs.rename(aside, final)
      throw error
    }
  } catch (error) {
    await fs.rm(temporary, { recursive: true, force: true })
    throw error
  }
  await syncFolder(fs, dirname(final))
  // The new folder is in place: what is left of the old one is no reason to report a failed save.
  if (old) await fs.rm(aside, { recursive: true, force: true }).catch(() => {})
}

/**
 * Writes a file so that at `path` there is always a whole one: into a temporary sibling, fsynced and renamed.
 * @param write bytes, text, or a function that writes through the handle it gets.
 */
export async function writeFileAtomic(
  path: string,
  write: Uint8Array | string | ((file: fsPromises.FileHandle) => Promise<void>),
  { operations: fs = fsPromises }: { operations?: FileOperations } = {},
): Promise<void> {
  const final = await fs.realpath(path).catch(absent(resolve(path)))
  const temporary = siblingOf(final, 'tmp')
  try {
    const file = await fs.open(temporary, 'wx')
    try {
      if (typeof write === 'function') await write(file)
      else await file.writeFile(write)
      await file.sync()
    } finally {
      await file.close()
    }
    await fs.rename(temporary, final)
  } catch (error) {
    await fs.rm(temporary, { force: true })
    throw error
  }
  await syncFolder(fs, dirname(final))
}

/** A name in the same folder (renames work only inside a file system), hidden, that no other process chooses. */
function siblingOf(path: string, kind: string): string {
  return join(dirname(path), `.${basename(path)}.${kind}-${randomBytes(6).toString('hex')}`)
}

/** Brings what `from` has and `to` lacks over: as hard links where possible, so that big files cost nothing. */
async function keepFiles(
  fs: FileOperations,
  from: string,
  to: string,
  keep: (relativePath: string) => boolean,
  prefix = '',
): Promise<void> {
  for (const entry of await fs.readdir(from, { withFileTypes: true })) {
    const source = join(from, entry.name)
    const copy = join(to, entry.name)
    const relative = prefix + entry.name
    const present = await fs.lstat(copy).catch(absent(undefined))
    if (entry.isDirectory()) {
      if (present && !present.isDirectory()) continue
      if (!present && !keep(relative)) continue
      if (!present) await fs.mkdir(copy)
      await keepFiles(fs, source, copy, keep, `${relative}/`)
    } else if (!present && keep(relative)) {
      if (entry.isSymbolicLink()) await fs.symlink(await fs.readlink(source), copy)
      else if (entry.isFile()) await fs.link(source, copy).catch(() => fs.copyFile(source, copy))
    }
  }
}

async function syncTree(fs: FileOperations, folder: string): Promise<void> {
  for (const entry of await fs.readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) await syncTree(fs, path)
    else if (entry.isFile()) await sync(fs, path)
  }
  await sync(fs, folder)
}

async function sync(fs: FileOperations, path: string): Promise<void> {
  const file = await fs.open(path, 'r')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}

/** The rename itself is durable once the folder is; where folders cannot be synced (some network drives) it stands anyway. */
async function syncFolder(fs: FileOperations, folder: string): Promise<void> {
  await sync(fs, folder).catch(() => {})
}

/** For `.catch`: `value` when there is no such file, any other error goes on. */
function absent<T>(value: T): (error: NodeJS.ErrnoException) => T {
  return (error) => {
    if (error.code === 'ENOENT') return value
    throw error
  }
}
