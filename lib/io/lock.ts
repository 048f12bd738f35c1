// A lock file between processes. A lock of this machine is stale when its process is gone; one of another machine, or of another
// container, when nobody has touched it for a minute and a half.
//
// Taking over is free of races: a stale lock is removed only by whoever holds a second lock whose name is made from the first
// one's id. So nobody can remove the lock that another process has put in its place meanwhile.

import * as fsPromises from 'node:fs/promises'
import { hostname } from 'node:os'
import { setTimeout } from 'node:timers/promises'
import { absent, type FileOperations, hasCode } from './files.js'
import { newId, ownerOf, stateOf, temporaryBeside } from './temporary.js'

const TOUCH_MILLISECONDS = 15_000
const STALE_MILLISECONDS = 90_000

/** What `newId` gives: a part of it becomes part of a path. */
const OWN_ID = /^[0-9a-f]{8}-\d{1,10}-[0-9a-z]{1,12}-[0-9a-f]{12}$/

/** Where there are no hard links. */
const NO_LINKS = ['EPERM', 'EACCES', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EXDEV']

/** Who holds a lock; what its file does not tell is undefined. */
export interface LockHolder {
  pid: number | undefined
  host: string | undefined
  /** When it took the lock, as ISO 8601 has it. */
  since: string | undefined
  /** Whether it is this process. */
  isOwn: boolean
  /** Whether it cannot be seen from here if the process lives: only that it touches the file tells. */
  isElsewhere: boolean
  /** When the file was touched last, in milliseconds by the clock of the file system. */
  touched: number
}

interface Found {
  /** Its id, or what else tells it from others. */
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
    this.#timer = setInterval(() => {
      const now = new Date()
      // Removed from outside: the lock is lost, the work goes on.
      void fsPromises.utimes(path, now, now).catch(() => {})
    }, TOUCH_MILLISECONDS)
    this.#timer.unref()
  }

  /** Removes the file, if it is still that of this lock. Never fails. */
  async release(): Promise<void> {
    clearInterval(this.#timer)
    const found = await read(this.#fs, this.path, Date.now()).catch(() => undefined)
    if (found?.id === this.#id) await this.#fs.rm(this.path, { force: true }).catch(() => {})
  }
}

/**
 * Takes a lock, also from a process that is gone.
 * @returns the lock, or who holds it
 * @throws what the file system refuses
 */
export async function takeLock(path: string, fs: FileOperations = fsPromises): Promise<FileLock | LockHolder> {
  // It is tried again where another process takes over, too, which it does in some milliseconds.
  for (let tries = 100; ; tries--) {
    const id = newId()
    const now = await place(fs, path, id)
    if (now === undefined) return new FileLock(path, id, fs)
    const found = await read(fs, path, now)
    if (found === undefined) continue
    if (!found.isStale || tries === 0) return found.holder
    const guard = await takeLock(`${path}.${found.id.slice(-12)}`, fs)
    if (!(guard instanceof FileLock)) {
      await setTimeout(50)
      continue
    }
    try {
      const again = await read(fs, path, now)
      if (again?.isStale && again.id === found.id) await fs.rm(path, { force: true })
    } finally {
      await guard.release()
    }
  }
}

/**
 * Puts a lock's file in its place if there is none. It appears there with all that it says.
 * @returns undefined when it is there; else the time of the file system, whose clock may be another than ours
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

/** @param now the time of the file system @returns undefined when there is no lock any more */
async function read(fs: FileOperations, path: string, now: number): Promise<Found | undefined> {
  const text = await fs.readFile(path, 'utf8').catch(absent(undefined))
  const stat = await fs.lstat(path).catch(absent(undefined))
  if (text === undefined || stat === undefined) return undefined
  const { id, pid, host, since } = parse(text)
  const owner = id === undefined ? undefined : ownerOf(id)
  const state = owner === undefined ? 'elsewhere' : stateOf(owner)
  return {
    id: owner === undefined ? String(Math.floor(stat.mtimeMs)).padStart(12, '0') : id!,
    holder: {
      ...{ pid, host, since, touched: stat.mtimeMs },
      isOwn: state === 'running' && owner?.pid === process.pid,
      isElsewhere: state === 'elsewhere',
    },
    isStale: state === 'gone' || (state === 'elsewhere' && now - stat.mtimeMs > STALE_MILLISECONDS),
  }
}

/** What a lock's file says, as far as it can be understood: it may be half-written, or another program's. */
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
