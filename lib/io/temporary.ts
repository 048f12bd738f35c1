// Names of files and folders that are written beside their place, and of those that are moved aside. A name tells its
// process, so that others can distinguish what a killed process left from what a living one is writing.

import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import * as fsPromises from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename, dirname, join } from 'node:path'
import type { FileOperations } from './files.js'

/** For processes that cannot be seen from here, only the time of their last change is known. */
const STALE_MILLISECONDS = 60 * 60 * 1000

/**
 * Machine, process, start of the process or thread, the thread of a worker, and a part that distinguishes files of one
 * thread.
 */
const ID = /(?<![0-9a-z])([0-9a-f]{8})-(\d{1,10})-([0-9a-z]{1,12})(?:-t(\d{1,10}))?-([0-9a-f]{12})(?![0-9a-z])/g
/** Only twelve digits: names of older versions of this package. */
const NAME =
  /^\.(?<base>.+)\.(?<kind>tmp|old)-(?:[0-9a-f]{8}-\d{1,10}-[0-9a-z]{1,12}(?:-t\d{1,10})?-[0-9a-f]{12}|[0-9a-f]{12})$/s

/** A process, or one of its worker threads, in the form of a name. */
export interface Owner {
  machine: string
  pid: number
  /** Its start; '0' where that is unknown. */
  start: string
  /** The number of a worker thread; 0 for the main thread, which lives as long as the process. */
  thread: number
}

/** A new id of this thread: `<machine>-<pid>-<start>-<random>`, of a worker `<machine>-<pid>-<start>-t<thread>-<random>`. */
export function newId(): string {
  const { machine, pid, start, thread } = self()
  return `${machine}-${pid}-${start}-${thread === 0 ? '' : `t${thread}-`}${randomBytes(6).toString('hex')}`
}

/** The process or thread in a name's id; undefined for a name without an id. */
export function ownerOf(name: string): Owner | undefined {
  const [, machine, pid, start, thread] = [...name.matchAll(ID)].at(-1) ?? []
  return machine === undefined ? undefined : { machine, pid: Number(pid), start: start!, thread: Number(thread ?? 0) }
}

/** Whether it is this process, in any thread. */
export function isOfThisProcess({ machine, pid }: Owner): boolean {
  return machine === thisMachine() && pid === process.pid
}

/**
 * Whether a process or a thread lives. `elsewhere`: that cannot be seen from here, because it is on another machine or in
 * another container, or is a worker thread on a system that does not list threads.
 */
export function stateOf({ machine, pid, start, thread }: Owner): 'running' | 'gone' | 'elsewhere' {
  if (machine !== thisMachine()) return 'elsewhere'
  try {
    process.kill(pid, 0)
  } catch (error) {
    // EPERM: it belongs to another user.
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

/** The number may have been reused, or belong to a dead process that nobody has waited for. */
function isOf(start: string, found: ProcStat | undefined): boolean {
  return found !== undefined && !/[ZX]/.test(found.state) && (start === '0' || found.start === start)
}

/** A hidden name in the same folder that nobody else chooses. (Renames only work inside a file system.) */
export function temporaryBeside(path: string, kind: 'tmp' | 'old'): string {
  return join(dirname(path), `.${basename(path)}.${kind}-${newId()}`)
}

/** The meaning of a name of `temporaryBeside`; undefined for any other name. */
export function parseTemporary(name: string): { base: string; kind: 'tmp' | 'old' } | undefined {
  const { base, kind } = NAME.exec(name)?.groups ?? {}
  return base === undefined ? undefined : { base, kind: kind as 'tmp' | 'old' }
}

/**
 * Whether a process or thread that has ended left the file or folder at a path: it is of this machine and does not run any
 * more; or it cannot be seen or is not named, and nothing in the path has changed for an hour.
 */
export async function isLeftOver(path: string, fs: FileOperations = fsPromises): Promise<boolean> {
  const owner = ownerOf(basename(path))
  const state = owner === undefined ? 'elsewhere' : stateOf(owner)
  if (state !== 'elsewhere') return state === 'gone'
  const changed = await lastChange(fs, path).catch(() => Number.POSITIVE_INFINITY)
  return Date.now() - changed > STALE_MILLISECONDS
}

/** Removes the entries of a folder that match `matches` and were left by ended processes. Never fails. */
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
 * Removes from a folder what ended processes have left under names of `temporaryBeside`. An old folder stays while its
 * place is empty, because it is the only copy. Never fails.
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

/** The last change at or below a path. */
async function lastChange(fs: FileOperations, path: string): Promise<number> {
  const found = await fs.lstat(path)
  if (!found.isDirectory()) return found.mtimeMs
  // A folder that is moved aside is only renamed.
  let last = Math.max(found.ctimeMs, found.mtimeMs)
  for (const name of await fs.readdir(path)) last = Math.max(last, await lastChange(fs, join(path, name)))
  return last
}

let machine: string | undefined

/** Identifies a run of a machine, and a container in it. Process numbers are comparable only within it. */
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

/** This thread. Workers do not share this module's state. */
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
  // Not imported, because it is not needed where the system lists threads.
  const { isMainThread, threadId } = process.getBuiltinModule('node:worker_threads')
  return isMainThread ? { start: start ?? '0', thread: 0 } : { start: '0', thread: threadId }
}

interface ProcStat {
  state: string
  /** Clock ticks, base 36. */
  start: string
}

/** What the system shows about a process or one of its threads; undefined where it shows nothing. */
function procStat(pid: number, thread?: number): ProcStat | undefined {
  try {
    // In another process namespace than ours it would show other processes.
    if (readlinkSync('/proc/self') !== String(process.pid)) return undefined
    const text = readFileSync(thread === undefined ? `/proc/${pid}/stat` : `/proc/${pid}/task/${thread}/stat`, 'latin1')
    // The name in parentheses may hold any characters.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return { state: fields[0]!, start: Number(fields[19]).toString(36) }
  } catch {
    return undefined
  }
}
