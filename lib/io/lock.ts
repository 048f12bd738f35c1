// A lock file between processes, and between threads of one. A lock is stale when its process or thread has ended. If that
// cannot be seen, for example on another machine or in a container, it is stale when nobody has touched it for a minute and
// a half.
//
// Taking over has no race: only the holder of a second lock, whose name is made from the first one's id, may remove a stale
// lock. So nobody can remove a lock that another process has put in its place meanwhile.

import { constants } from 'node:fs'
import * as fsPromises from 'node:fs/promises'
import { hostname } from 'node:os'
import { setTimeout } from 'node:timers/promises'
import { SentenceTorchError } from '../errors.js'
import { absent, type FileOperations, hasCode } from './files.js'
import { isOfThisProcess, newId, ownerOf, stateOf, temporaryBeside } from './temporary.js'

const TOUCH_MILLISECONDS = 15_000
export const STALE_MILLISECONDS = 90_000
/** Limit of bytes. Our locks are shorter. */
const MAX_BYTES = 4096

/** The form of `newId`, because a part of it becomes part of a path. */
const OWN_ID = /^[0-9a-f]{8}-\d{1,10}-[0-9a-z]{1,12}(?:-t\d{1,10})?-[0-9a-f]{12}$/

/** Errors of file systems without hard links. */
const NO_LINKS = ['EPERM', 'EACCES', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EXDEV']

/** The holder of a lock. What its file does not say is undefined. */
export interface LockHolder {
  pid: number | undefined
  host: string | undefined
  /** The time of taking the lock, in ISO 8601. */
  since: string | undefined
  /** Whether it is this process, in any thread. */
  isOwn: boolean
  /** Whether the process or thread cannot be seen from here. Then only touching the file shows that it lives. */
  isElsewhere: boolean
  /** The time of the last touch, in milliseconds by the file system's clock. */
  touched: number
}

interface Found {
  /** Its id, or another value that identifies it. */
  id: string
  holder: LockHolder
  isStale: boolean
}

/** A lock that this process holds. */
export class FileLock {
  readonly path: string
  readonly #id: string
  readonly #fs: FileOperations
  readonly #timer: NodeJS.Timeout

  constructor(path: string, id: string, fs: FileOperations) {
    this.path = path
    this.#id = id
    this.#fs = fs
    this.#timer = setInterval(() => void this.touch(), TOUCH_MILLISECONDS)
    this.#timer.unref()
  }

  /**
   * Shows others that the holder lives. Rewrites the same content, so that the time is that of the file system, whose clock
   * may differ from ours. Never fails. If the file was removed by others, the lock is lost and the work continues.
   */
  async touch(): Promise<void> {
    try {
      if ((await read(this.#fs, this.path, 0))?.id !== this.#id) return
      const file = await this.#fs.open(this.path, constants.O_WRONLY | constants.O_NOFOLLOW)
      try {
        await file.write('{', 0)
      } finally {
        await file.close()
      }
    } catch {}
  }

  /** Removes the file if it still belongs to this lock. Never fails. */
  async release(): Promise<void> {
    clearInterval(this.#timer)
    const found = await read(this.#fs, this.path, Date.now()).catch(() => undefined)
    if (found?.id === this.#id) await this.#fs.rm(this.path, { force: true }).catch(() => {})
  }
}

/**
 * Takes a lock, also from a process or thread that has ended.
 * @param dead the time of the last touch of a lock whose holder is known to have ended, from `LockHolder`
 * @returns the lock, or its holder
 * @throws errors of the file system; ERR_FILE_SYSTEM when something other than a file is there
 */
export async function takeLock(
  path: string,
  fs: FileOperations = fsPromises,
  dead?: number,
): Promise<FileLock | LockHolder> {
  // Tried again also where another process takes over, which it does within some milliseconds.
  for (let tries = 100; ; tries--) {
    const id = newId()
    const now = await place(fs, path, id)
    if (now === undefined) return new FileLock(path, id, fs)
    const found = await read(fs, path, now, dead)
    if (found === undefined) {
      if (tries > 0) continue
      throw new SentenceTorchError('ERR_FILE_SYSTEM', `Cannot take the lock ${path}: it comes and goes`)
    }
    if (!found.isStale || tries === 0) return found.holder
    const guard = await takeLock(`${path}.${found.id.slice(-12)}`, fs)
    if (!(guard instanceof FileLock)) {
      await setTimeout(50)
      continue
    }
    try {
      const again = await read(fs, path, now, dead)
      if (again?.isStale && again.id === found.id) await fs.rm(path, { force: true })
    } finally {
      await guard.release()
    }
  }
}

/**
 * Creates a lock's file if there is none. It appears with its whole content.
 * @returns undefined on success; else the file system's time, because its clock may differ from ours
 */
async function place(fs: FileOperations, path: string, id: string): Promise<number | undefined> {
  const text = JSON.stringify({ id, pid: process.pid, host: hostname(), since: new Date().toISOString() })
  const temporary = temporaryBeside(path, 'tmp')
  try {
    await write(fs, temporary, text)
    const { mtimeMs } = await fs.lstat(temporary)
    try {
      await fs.link(temporary, path)
    } catch (error) {
      if (hasCode(error, 'EEXIST')) return mtimeMs
      if (!hasCode(error, ...NO_LINKS)) throw error
      return await write(fs, path, text).then(
        () => undefined,
        (refused) => {
          if (hasCode(refused, 'EEXIST')) return mtimeMs
          throw refused
        },
      )
    }
    return undefined
  } finally {
    await fs.rm(temporary, { force: true }).catch(() => {})
  }
}

async function write(fs: FileOperations, path: string, text: string): Promise<void> {
  const file = await fs.open(path, 'wx')
  try {
    await file.writeFile(text)
  } catch (error) {
    await fs.rm(path, { force: true }).catch(() => {})
    throw error
  } finally {
    await file.close()
  }
}

/**
 * @param now the file system's time
 * @param dead as for `takeLock`
 * @returns undefined when there is no lock any more
 */
async function read(fs: FileOperations, path: string, now: number, dead?: number): Promise<Found | undefined> {
  const before = await fs.lstat(path).catch(absent(undefined))
  if (before === undefined) return undefined
  // A link may lead nowhere and a pipe never ends. Neither is from a lock.
  if (!before.isFile()) {
    const kind = before.isSymbolicLink() ? 'a symbolic link' : before.isDirectory() ? 'a folder' : 'no regular file'
    throw new SentenceTorchError('ERR_FILE_SYSTEM', `Cannot take the lock ${path}: it is ${kind}. Remove it`)
  }
  const text = before.size > MAX_BYTES ? '' : await fs.readFile(path, 'utf8').catch(absent(undefined))
  // The time is read after the text, so that a new lock of another process does not look old.
  const stat = await fs.lstat(path).catch(absent(undefined))
  if (text === undefined || stat === undefined) return undefined
  const { id, pid, host, since } = parse(text)
  const owner = id === undefined ? undefined : ownerOf(id)
  const state = owner === undefined ? 'elsewhere' : stateOf(owner)
  return {
    id: owner === undefined ? String(Math.floor(stat.mtimeMs)).padStart(12, '0') : id!,
    holder: {
      ...{ pid, host, since, touched: stat.mtimeMs },
      isOwn: state !== 'gone' && owner !== undefined && isOfThisProcess(owner),
      isElsewhere: state === 'elsewhere',
    },
    isStale:
      state === 'gone' || (state === 'elsewhere' && (stat.mtimeMs === dead || now - stat.mtimeMs > STALE_MILLISECONDS)),
  }
}

/** The content of a lock's file, as far as it can be understood. It may be incomplete, or from another program. */
function parse(text: string): {
  id?: string
  pid: number | undefined
  host: string | undefined
  since: string | undefined
} {
  let value: Record<string, unknown> = {}
  try {
    value = (JSON.parse(text) ?? {}) as Record<string, unknown>
  } catch {}
  const { id, pid, host, since } = value
  const short = (field: unknown) => (typeof field === 'string' ? field.slice(0, 255) : undefined)
  return {
    ...(typeof id === 'string' && OWN_ID.test(id) && { id }),
    pid: typeof pid === 'number' ? pid : undefined,
    host: short(host),
    since: short(since),
  }
}
