import { constants, type Stats } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { type ErrorCode, invalidArgument, SentenceTorchError } from '../errors.js'
import { hasCode } from './files.js'
import { systemError } from './system-error.js'

/**
 * Opens a file to read it. Anything but a file is refused at once: folders, and pipes, sockets and devices, which may never
 * send anything.
 * @param code for anything but a file
 * @throws SentenceTorchError ERR_NOT_FOUND, ERR_FILE_SYSTEM, `code`
 */
export async function openFile(path: string, code: ErrorCode = 'ERR_INVALID_ARGUMENT'): Promise<FileHandle> {
  if (path.includes('\0')) throw invalidArgument('path', 'a file name without the character NUL', path)
  let file: FileHandle | undefined
  try {
    // Otherwise opening a pipe would wait for its writer.
    file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
    const stats = await file.stat()
    if (stats.isFile()) return file
    throw noFile(path, stats, code)
  } catch (error) {
    await file?.close()
    throw explain(error, path, code)
  }
}

/**
 * A whole file, with the length that it had when it was opened.
 * @param maxBytes limit of bytes
 * @param code for anything but a file, and for more bytes
 * @throws SentenceTorchError ERR_NOT_FOUND, ERR_FILE_SYSTEM, `code`
 */
export async function readWhole(path: string, maxBytes: number, code: ErrorCode): Promise<Buffer> {
  const file = await openFile(path, code)
  try {
    const { size } = await file.stat()
    if (size > maxBytes) {
      throw new SentenceTorchError(code, `Expected at most ${maxBytes} bytes in ${path}, found ${size}`)
    }
    const bytes = Buffer.alloc(size)
    let done = 0
    // Some files below /proc have other lengths than they say. Reading them ends here too.
    for (let read = 1; read > 0 && done < size; done += read)
      read = (await file.read(bytes, done, size - done, done)).bytesRead
    return bytes.subarray(0, done)
  } catch (error) {
    throw systemError(error, `read ${path}`)
  } finally {
    await file.close()
  }
}

/** Whether an error of this module means a missing file. */
export function isAbsent(error: unknown): boolean {
  const cause = error instanceof SentenceTorchError ? error.cause : error
  return hasCode(cause, 'ENOENT', 'ENOTDIR')
}

/** The error for a path that should be a file. */
export function noFile(path: string, stats: Stats, code: ErrorCode = 'ERR_INVALID_ARGUMENT'): SentenceTorchError {
  if (stats.isDirectory()) return isFolder(path, code)
  const kind = stats.isFIFO() ? 'pipe' : stats.isSocket() ? 'socket' : 'device'
  return new SentenceTorchError(code, `Expected a file, found the ${kind} ${path}`)
}

export function isFolder(path: string, code: ErrorCode = 'ERR_INVALID_ARGUMENT'): SentenceTorchError {
  const hint = code === 'ERR_INVALID_ARGUMENT' ? ': name its files' : ''
  return new SentenceTorchError(code, `Expected a file, found the folder ${path}${hint}`)
}

/** Turns an error of the system while reading `path` into one of this package. */
export function explain(error: unknown, path: string, code: ErrorCode = 'ERR_INVALID_ARGUMENT'): unknown {
  const { code: errno } = (error ?? {}) as NodeJS.ErrnoException
  if (errno === 'ENOENT') return new SentenceTorchError('ERR_NOT_FOUND', `There is no file ${path}`, { cause: error })
  if (errno === 'EISDIR') return isFolder(path, code)
  if (errno === 'ENXIO')
    return new SentenceTorchError(code, `Expected a file, found the socket ${path}`, { cause: error })
  return systemError(error, `read ${path}`)
}
