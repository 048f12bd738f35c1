import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SentenceTorchError } from '../errors.js'
import { type ReplaceFolderOptions, replaceFolder } from './atomic.js'

/** What was to be saved could not be saved where it should, for the reason in `cause`. */
export class NotSavedError extends SentenceTorchError {
  /** The folder among the temporary ones where it is instead; undefined when it could not be saved there either. */
  readonly savedIn: string | undefined

  constructor(message: string, cause: unknown, savedIn?: string) {
    super('ERR_NOT_SAVED', message, { cause })
    this.name = 'NotSavedError'
    this.savedIn = savedIn
  }
}

/**
 * Fills a folder as `replaceFolder` does, and a temporary one if that fails for whatever reason: what took hours to train is
 * not lost with the place it was meant for.
 * @throws NotSavedError; what failed, where that keeps the temporary folder from being filled, too (an error of `fill`)
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
 * Fills a new folder among the temporary ones, because something else failed.
 * @param what could not be done
 * @returns the error to be thrown
 */
export async function rescued(
  reason: unknown,
  what: string,
  fill: (folder: string) => Promise<void>,
): Promise<unknown> {
  if (reason instanceof NotSavedError) return reason
  const begin = `${what}: ${(reason as Error).message}.`
  let folder: string | undefined
  try {
    folder = await mkdtemp(join(tmpdir(), 'sentence-torch-'))
    await fill(folder)
    return new NotSavedError(
      `${begin} It was saved in ${folder} instead; move it to where it shall stay`,
      reason,
      folder,
    )
  } catch (error) {
    if (folder !== undefined) await rm(folder, { recursive: true, force: true }).catch(() => {})
    if (!isSystemError(reason)) return reason
    return new NotSavedError(`${begin} Nor could it be saved in ${tmpdir()}: ${(error as Error).message}`, reason)
  }
}

/** Whether the operating system refused something: a full disk, a missing permission. */
export function isSystemError(error: unknown): boolean {
  const { code } = (error ?? {}) as NodeJS.ErrnoException
  return error instanceof Error && typeof code === 'string' && /^E(?!RR_)[A-Z0-9]+$/.test(code)
}
