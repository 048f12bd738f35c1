import { constants, type Stats } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { type ErrorCode, invalidArgument, SentenceTorchError } from '../errors.js'
import { systemError } from './system-error.js'

/**
 * Opens a file to read it. What is no file is refused at once: a folder, and pipes, sockets and devices, from which nothing may
 * ever come.
 * @param code for what is no file
 * @throws SentenceTorchError ERR_NOT_FOUND, ERR_FILE_SYSTEM, `code`
 */
export async function openFile(path: string, code: ErrorCode = 'ERR_INVALID_ARGUMENT'): Promise<FileHandle> {
  if (path.includes('\0')) throw invalidArgument('path', 'a file name without the character NUL', path)
  let file: FileHandle | undefined
  try {
    // To open a pipe would wait for its writer otherwise.
    file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
    const stats = await file.stat()
    if (stats.isFile()) return file
    throw noFile(path, stats, code)
  } catch (error) {
    await file?.close()
    throw explain(error, path, code)
  }
}

/** The error of a path where a file should be. */
export function noFile(path: string, stats: Stats, code: ErrorCode = 'ERR_INVALID_ARGUMENT'): SentenceTorchError {
  if (stats.isDirectory()) return isFolder(path, code)
  const kind = stats.isFIFO() ? 'pipe' : stats.isSocket() ? 'socket' : 'device'
  return new SentenceTorchError(code, `Expected a file, found the ${kind} ${path}`)
}

export function isFolder(path: string, code: ErrorCode = 'ERR_INVALID_ARGUMENT'): SentenceTorchError {
  const hint = code === 'ERR_INVALID_ARGUMENT' ? ': name its files' : ''
  return new SentenceTorchError(code, `Expected a file, found the folder ${path}${hint}`)
}

/** An error of the system while `path` was read, as one of this package. */
export function explain(error: unknown, path: string, code: ErrorCode = 'ERR_INVALID_ARGUMENT'): unknown {
  const { code: errno } = (error ?? {}) as NodeJS.ErrnoException
  if (errno === 'ENOENT') return new SentenceTorchError('ERR_NOT_FOUND', `There is no file ${path}`, { cause: error })
  if (errno === 'EISDIR') return isFolder(path, code)
  if (errno === 'ENXIO')
    return new SentenceTorchError(code, `Expected a file, found the socket ${path}`, { cause: error })
  return systemError(error, `read ${path}`)
}
