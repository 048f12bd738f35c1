import { constants, type Stats } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { invalidArgument, SentenceTorchError } from '../errors.js'
import { systemError } from './system-error.js'

/**
 * Opens a file to read it. What is no file is refused at once: a folder, and pipes, sockets and devices, from which nothing may
 * ever come.
 * @throws SentenceTorchError ERR_NOT_FOUND, ERR_FILE_SYSTEM, ERR_INVALID_ARGUMENT for what is no file
 */
export async function openFile(path: string): Promise<FileHandle> {
  if (path.includes('\0')) throw invalidArgument('path', 'a file name without the character NUL', path)
  let file: FileHandle | undefined
  try {
    // To open a pipe would wait for its writer otherwise.
    file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
    const stats = await file.stat()
    if (stats.isFile()) return file
    throw noFile(path, stats)
  } catch (error) {
    await file?.close()
    throw explain(error, path)
  }
}

/** The error of a path where a file should be. */
export function noFile(path: string, stats: Stats): SentenceTorchError {
  if (stats.isDirectory()) return isFolder(path)
  const kind = stats.isFIFO() ? 'pipe' : stats.isSocket() ? 'socket' : 'device'
  return new SentenceTorchError('ERR_INVALID_ARGUMENT', `Expected a file, found the ${kind} ${path}`)
}

export function isFolder(path: string): SentenceTorchError {
  return new SentenceTorchError('ERR_INVALID_ARGUMENT', `Expected a file, found the folder ${path}: name its files`)
}

/** An error of the system while `path` was read, as one of this package. */
export function explain(error: unknown, path: string): unknown {
  const { code } = (error ?? {}) as NodeJS.ErrnoException
  if (code === 'ENOENT') return new SentenceTorchError('ERR_NOT_FOUND', `There is no file ${path}`, { cause: error })
  if (code === 'EISDIR') return isFolder(path)
  return systemError(error, `read ${path}`)
}
