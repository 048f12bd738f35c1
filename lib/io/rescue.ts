import { randomBytes } from 'node:crypto'
import * as fsPromises from 'node:fs/promises'
import { mkdir, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SentenceTorchError } from '../errors.js'
import { type ReplaceFolderOptions, replaceFolder } from './atomic.js'
import { syncFolder, syncTree } from './files.js'
import { systemError } from './system-error.js'
import { temporaryBeside, tidyFolder } from './temporary.js'

/** A model could not be saved in its folder, for the reason in `cause`. */
export class NotSavedError extends SentenceTorchError {
  /** The folder in the system's temporary folder that holds it instead; undefined if it could not be saved there either. */
  readonly savedIn: string | undefined

  constructor(message: string, cause: unknown, savedIn?: string) {
    super('ERR_NOT_SAVED', message, { cause })
    this.name = 'NotSavedError'
    this.savedIn = savedIn
  }
}

/**
 * Fills a folder as `replaceFolder` does, or a temporary one if that fails for any reason, so that hours of training are
 * not lost with the folder.
 * @throws NotSavedError; or the error of `fill` that also prevents filling the temporary folder
 */
export async function saveFolder(
  target: string,
  fill: (folder: string) => Promise<void>,
  options?: ReplaceFolderOptions,
): Promise<void> {
  try {
    await replaceFolder(target, fill, options)
  } catch (error) {
    throw await rescued(error, `Nothing could be saved in ${target}`, fill)
  }
}

/**
 * Fills a new folder in the system's temporary folder, because something else failed.
 * @param what the failed work
 * @returns the error to throw
 */
export async function rescued(
  reason: unknown,
  what: string,
  fill: (folder: string) => Promise<void>,
): Promise<unknown> {
  if (reason instanceof NotSavedError) return reason
  const begin = `${what}: ${reasonOf(reason)}.`
  const cause = isSystemError(reason) && reason instanceof SentenceTorchError ? reason.cause : reason
  const folder = join(tmpdir(), `sentence-torch-${randomBytes(6).toString('hex')}`)
  const temporary = temporaryBeside(folder, 'tmp')
  await tidyFolder(tmpdir())
  try {
    // Otherwise others could read it in the temporary folder.
    await mkdir(temporary, { mode: 0o700 })
    await fill(temporary)
    await syncTree(fsPromises, temporary)
    await rename(temporary, folder)
    await syncFolder(fsPromises, tmpdir())
    return new NotSavedError(
      `${begin} It was saved in ${folder} instead; move it to where it shall stay`,
      cause,
      folder,
    )
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => {})
    if (!isSystemError(reason)) return reason
    return new NotSavedError(`${begin} Nor could it be saved in ${tmpdir()}: ${reasonOf(error)}`, cause)
  }
}

function reasonOf(error: unknown): string {
  const { path } = (error ?? {}) as NodeJS.ErrnoException
  return (systemError(error, `write ${path ?? 'it'}`) as Error).message
}

/** Whether the operating system refused something, for example because of a full disk or a missing permission. */
export function isSystemError(error: unknown): boolean {
  if (error instanceof SentenceTorchError) {
    return ['ERR_FILE_SYSTEM', 'ERR_NOT_FOUND'].includes(error.code) && isSystemError(error.cause)
  }
  const { code } = (error ?? {}) as NodeJS.ErrnoException
  return error instanceof Error && typeof code === 'string' && /^E(?!RR_)[A-Z0-9]+$/.test(code)
}
