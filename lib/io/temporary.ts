// Names of what is written beside its place until it is whole, and of what makes way for it. A name says whose it is, so that
// whoever comes by later can tell what a killed process left from what a living one is writing.

import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import * as fsPromises from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename, dirname, join } from 'node:path'
import type { FileOperations } from './files.js'

/** Of processes that cannot be seen from here nothing is known but when they last wrote. */
const STALE_MILLISECONDS = 60 * 60 * 1000

/** Machine, process, when it or its thread began, the thread if it is a worker, and what tells apart the files of one thread. */
const ID = /(?<![0-9a-z])([0-9a-f]{8})-(\d{1,10})-([0-9a-z]{1,12})(?:-t(\d{1,10}))?-([0-9a-f]{12})(?![0-9a-z])/g
/** Twelve digits alone: of older versions of this package. */
const NAME =
  /^\.(?<base>.+)\.(?<kind>tmp|old)-(?:[0-9a-f]{8}-\d{1,10}-[0-9a-z]{1,12}(?:-t\d{1,10})?-[0-9a-f]{12}|[0-9a-f]{12})$/s

/** A process, or a worker thread of one, as a name says it. */
export interface Owner {
  machine: string
  pid: number
  /** When it began; '0' where that cannot be known. */
  start: string
  /** The number of a worker thread; 0 for the main thread, which lives as long as the process. */
  thread: number
}

/** A new id of this thread: `<machine>-<pid>-<start>-<random>`, of a worker `<machine>-<pid>-<start>-t<thread>-<random>`. */
export function newId(): string {
  const { machine, pid, start, thread } = self()
  return `${machine}-${pid}-${start}-${thread === 0 ? '' : `t${thread}-`}${randomBytes(6).toString('hex')}`
}

/** The process or thread whose id a name ends with; undefined for a name without any. */
export function ownerOf(name: string): Owner | undefined {
  const [, machine, pid, start, thread] = [...name.matchAll(ID)].at(-1) ?? []
  return machine === undefined ? undefined : { machine, pid: Number(pid), start: start!, thread: Number(thread ?? 0) }
}

/** Whether it is this process, whatever the thread. */
export function isOfThisProcess({ machine, pid }: Owner): boolean {
  return machine === thisMachine() && pid === process.pid
}

/**
 * Whether a process or a thread lives; `elsewhere`: that cannot be seen from here. It is of another machine or container, or a
 * worker thread where the system does not tell of threads.
 */
export function stateOf({ machine, pid, start, thread }: Owner): 'running' | 'gone' | 'elsewhere' {
  if (machine !== thisMachine()) return 'elsewhere'
  try {
    process.kill(pid, 0)
  } catch (error) {
    // EPERM: it is another user's.
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return 'gone'
  }
  const own = self()
  if (pid === own.pid && thread === own.thread && start === own.start) return 'running'
  const found = procStat(pid)
  if (thread !== 0) {
    if (found === undefined || start === '0') return 'elsewhere'
    return isOf(start, procStat(pid, thread)) ? 'running' : 'gone'
  }
  return found === undefined || isOf(start, found) ? 'running' : 'gone'
}

/** The number may belong to a later process or thread, or to a dead process that nobody has waited for. */
function isOf(start: string, found: ProcStat | undefined): boolean {
  return found !== undefined && !/[ZX]/.test(found.state) && (start === '0' || found.start === start)
}

/** A hidden name in the same folder (renames work only inside a file system) that nobody else chooses. */
export function temporaryBeside(path: string, kind: 'tmp' | 'old'): string {
  return join(dirname(path), `.${basename(path)}.${kind}-${newId()}`)
}

/** What a name of `temporaryBeside` stands for; undefined for any other name. */
export function parseTemporary(name: string): { base: string; kind: 'tmp' | 'old' } | undefined {
  const { base, kind } = NAME.exec(name)?.groups ?? {}
  return base === undefined ? undefined : { base, kind: kind as 'tmp' | 'old' }
}

/**
 * Whether what lies at a path was left by a process or thread that is gone: it is of this machine and does not run any more, or
 * it cannot be seen from here, or is not named, and for an hour nothing in it has changed.
 */
export async function isLeftOver(path: string, fs: FileOperations = fsPromises): Promise<boolean> {
  const owner = ownerOf(basename(path))
  const state = owner === undefined ? 'elsewhere' : stateOf(owner)
  if (state !== 'elsewhere') return state === 'gone'
  const changed = await lastChange(fs, path).catch(() => Number.POSITIVE_INFINITY)
  return Date.now() - changed > STALE_MILLISECONDS
}

/** Removes the entries of a folder that `matches` and that were left by processes that are gone. Never fails. */
export async function removeLeftOvers(
  folder: string,
  matches: (name: string) => boolean,
  fs: FileOperations = fsPromises,
): Promise<void> {
  for (const name of await fs.readdir(folder).catch((): string[] => [])) {
    const path = join(folder, name)
    if (!matches(name) || !(await isLeftOver(path, fs))) continue
    await fs.rm(path, { recursive: true, force: true }).catch(() => {})
  }
}

/**
 * Removes what processes that are gone have left in a folder under the names of `temporaryBeside`. An old folder stays while
 * there is none in its place: it is the only one. Never fails.
 */
export async function tidyFolder(folder: string, fs: FileOperations = fsPromises): Promise<void> {
  const names = new Set(await fs.readdir(folder).catch((): string[] => []))
  for (const name of names) {
    const found = parseTemporary(name)
    if (found === undefined) continue
    const isNeeded = found.kind === 'old' && !names.has(found.base) && parseTemporary(found.base) === undefined
    const path = join(folder, name)
    if (isNeeded || !(await isLeftOver(path, fs))) continue
    await fs.rm(path, { recursive: true, force: true }).catch(() => {})
  }
}

/** When anything at or below a path changed last. */
async function lastChange(fs: FileOperations, path: string): Promise<number> {
  const found = await fs.lstat(path)
  if (!found.isDirectory()) return found.mtimeMs
  // A folder that makes way is only renamed.
  let last = Math.max(found.ctimeMs, found.mtimeMs)
  for (const name of await fs.readdir(path)) last = Math.max(last, await lastChange(fs, join(path, name)))
  return last
}

let machine: string | undefined

/** Of one run of one machine, and of one container in it: only among these do process numbers mean the same. */
function thisMachine(): string {
  if (machine === undefined) {
    const hash = createHash('sha256').update(hostname())
    for (const read of [
      () => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8'),
      () => readlinkSync('/proc/self/ns/pid'),
    ]) {
      try {
        hash.update(`\n${read()}`)
      } catch {
        // Not Linux, or a sandbox.
      }
    }
    machine = hash.digest('hex').slice(0, 8)
  }
  return machine
}

let own: Owner | undefined

/** This thread. Workers share nothing of this module: each has its own. */
function self(): Owner {
  own ??= { machine: thisMachine(), pid: process.pid, ...ownThread() }
  return own
}

function ownThread(): { start: string; thread: number } {
  const start = procStat(process.pid)?.start
  if (start !== undefined) {
    try {
      const [, tid] = /\/task\/(\d+)$/.exec(readlinkSync('/proc/thread-self')) ?? []
      if (Number(tid) === process.pid) return { start, thread: 0 }
      const found = procStat(process.pid, Number(tid))
      if (found !== undefined) return { start: found.start, thread: Number(tid) }
    } catch {
      // As below.
    }
  }
  // Not imported: where the system tells of threads it is not needed.
  const { isMainThread, threadId } = process.getBuiltinModule('node:worker_threads')
  return isMainThread ? { start: start ?? '0', thread: 0 } : { start: '0', thread: threadId }
}

interface ProcStat {
  state: string
  /** Clock ticks, base 36. */
  start: string
}

/** What the system tells of a process, or of one of its threads; undefined where it tells nothing. */
function procStat(pid: number, thread?: number): ProcStat | undefined {
  try {
    // Of another process namespace than ours it would tell of other processes.
    if (readlinkSync('/proc/self') !== String(process.pid)) return undefined
    const text = readFileSync(thread === undefined ? `/proc/${pid}/stat` : `/proc/${pid}/task/${thread}/stat`, 'latin1')
    // The name in parentheses may hold anything.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return { state: fields[0]!, start: Number(fields[19]).toString(36) }
  } catch {
    return undefined
  }
}
