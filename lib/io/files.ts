import { constants, fsync } from 'node:fs'
import * as fsPromises from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

/** The file operations in use. Tests replace them by failing ones. */
export type FileOperations = Pick<
  typeof fsPromises,
  | 'access'
  | 'copyFile'
  | 'link'
  | 'lstat'
  | 'mkdir'
  | 'open'
  | 'readdir'
  | 'readFile'
  | 'readlink'
  | 'realpath'
  | 'rename'
  | 'rm'
  | 'rmdir'
  | 'symlink'
>

/** Names that are written into a folder during a save. They are not files of the model. */
export const PENDING = '.sentence-torch-save'

export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return codes.includes((error as NodeJS.ErrnoException | undefined)?.code ?? '')
}

/** For `.catch`: returns `value` for a missing file and throws any other error. */
export function absent<T>(value: T): (error: unknown) => T {
  return (error) => {
    if (hasCode(error, 'ENOENT')) return value
    throw error
  }
}

/**
 * Creates a folder and its parents. Node's own function says "no such file" for a read-only disk, and never ends below
 * /proc.
 * @throws the system's error for the first folder that could not be created
 */
export async function makeFolder(path: string, fs: Pick<FileOperations, 'mkdir'> = fsPromises): Promise<void> {
  const isThere = async () => (await fsPromises.stat(path).catch(() => undefined))?.isDirectory() === true
  const unlessThere = async (error: unknown) => {
    if (!(await isThere())) throw error
  }
  try {
    await fs.mkdir(path)
  } catch (error) {
    if (await isThere()) return
    const parent = dirname(path)
    if (!hasCode(error, 'ENOENT') || parent === path) throw error
    await makeFolder(parent, fs)
    await fs.mkdir(path).catch(unlessThere)
  }
}

/**
 * Copies the entries of `from` that `to` lacks, as hard links where possible, so that big files cost nothing. Others may do
 * the same. Entries that vanish meanwhile are left out.
 * @param keep decides about the entries of `from` by their paths with '/'. In folders that both have, it is called for each
 * entry. A kept folder is copied with all its content.
 */
export async function keepFiles(
  fs: FileOperations,
  from: string,
  to: string,
  keep: (path: string) => boolean = () => true,
): Promise<void> {
  for (const entry of await fs.readdir(from, { withFileTypes: true }).catch(absent([]))) {
    if (entry.name.startsWith(PENDING)) continue
    const source = join(from, entry.name)
    const copy = join(to, entry.name)
    const present = await fs.lstat(copy).catch(absent(undefined))
    if (entry.isDirectory()) {
      if (present ? !present.isDirectory() : !keep(entry.name)) continue
      if (!present) await fs.mkdir(copy).catch(alreadyThere)
      await keepFiles(fs, source, copy, present ? (path) => keep(`${entry.name}/${path}`) : undefined)
    } else if (!present && keep(entry.name)) {
      const bring = entry.isSymbolicLink()
        ? async () => fs.symlink(await fs.readlink(source), copy)
        : async () => fs.link(source, copy).catch(() => fs.copyFile(source, copy, constants.COPYFILE_EXCL))
      if (entry.isSymbolicLink() || entry.isFile()) await bring().catch(alreadyThere).catch(unlessGone(fs, source))
    }
  }
}

/** For `.catch`. */
function alreadyThere(error: unknown): void {
  if (!hasCode(error, 'EEXIST')) throw error
}

/** For `.catch`: no error if `source` has vanished. */
function unlessGone(fs: FileOperations, source: string): (error: unknown) => Promise<void> {
  return async (error) => {
    if (!hasCode(error, 'ENOENT') || (await fs.lstat(source).catch(absent(undefined)))) throw error
  }
}

export async function syncTree(fs: FileOperations, folder: string): Promise<void> {
  for (const entry of await fs.readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) await syncTree(fs, path)
    else if (entry.isFile()) await sync(fs, path)
  }
  await sync(fs, folder)
}

/**
 * Waits until the bytes of a file are on the disk. Where Yarn's Plug'n'Play replaces node:fs, files have no working `sync`,
 * so the descriptor is synced.
 */
export async function syncFile(file: Pick<fsPromises.FileHandle, 'fd' | 'sync'>): Promise<void> {
  try {
    if (typeof file.sync === 'function') return await file.sync()
  } catch (error) {
    if (!/not implemented/i.test(String(error))) throw error
  }
  await promisify(fsync)(file.fd)
}

export async function sync(fs: FileOperations, path: string): Promise<void> {
  const file = await fs.open(path, 'r')
  try {
    await syncFile(file)
  } finally {
    await file.close()
  }
}

/**
 * A rename is durable when its folder is synced. Where folders cannot be synced (some network drives), it counts anyway.
 */
export async function syncFolder(fs: FileOperations, folder: string): Promise<void> {
  await sync(fs, folder).catch(() => {})
}
