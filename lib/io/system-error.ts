/** Errors of the operating system about files, with the failed work, the path and the reason. */
import { type ErrorCode, SentenceTorchError } from '../errors.js'

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EBUSY: 'it is in use',
  EDQUOT: 'the disk quota is used up',
  EEXIST: 'something of that name is there',
  EFBIG: 'the file would be too big',
  EIO: 'the disk failed',
  EISDIR: 'it is a folder',
  ELOOP: 'its symbolic links go round in circles',
  EMFILE: 'this process has too many files open',
  ENAMETOOLONG: 'the name is too long',
  ENFILE: 'the system has too many files open',
  ENOENT: 'there is no such file or folder',
  ENOSPC: 'the disk is full',
  ENOTDIR: 'a part of the path is no folder',
  EPERM: 'not permitted',
  EROFS: 'the file system is read-only',
}

/**
 * Turns an error of the system into one of this package. Other errors are returned unchanged.
 * @param action the failed work, with the path: `read /data/train.jsonl`
 * @param code for something that exists but cannot be used; a missing file is ERR_NOT_FOUND
 */
export function systemError(error: unknown, action: string, code: ErrorCode = 'ERR_FILE_SYSTEM'): unknown {
  const { code: errno, syscall } = (error ?? {}) as NodeJS.ErrnoException
  if (error instanceof SentenceTorchError || typeof errno !== 'string' || syscall === undefined) return error
  const reason = REASONS[errno] ?? (error as Error).message
  return new SentenceTorchError(errno === 'ENOENT' ? 'ERR_NOT_FOUND' : code, `Cannot ${action}: ${reason} (${errno})`, {
    cause: error,
  })
}

/** For `.catch`. */
export function failedTo(action: string, code?: ErrorCode): (error: unknown) => never {
  return (error) => {
    throw systemError(error, action, code)
  }
}
