// Names of what is written beside its place until it is whole, and of what makes way for it. A name says whose it is, so that
// whoever comes by later can tell what a killed process left from what a living one is writing.

import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import * as fsPromises from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename, dirname, join } from 'node:path'
import type { FileOperations } from './files.js'

/** Of processes on other machines nothing is known but when they last wrote. */
const STALE_MILLISECONDS = 60 * 60 * 1000

/** Machine, process, when that began, and what tells apart the files of one process. */
const ID = /(?<![0-9a-z])([0-9a-f]{8})-(\d{1,10})-([0-9a-z]{1,12})-([0-9a-f]{12})(?![0-9a-z])/g
/** Twelve digits alone: of older versions of this package. */
const NAME = /^\.(?<base>.+)\.(?<kind>tmp|old)-(?:[0-9a-f]{8}-\d{1,10}-[0-9a-z]{1,12}-[0-9a-f]{12}|[0-9a-f]{12})$/s

/** A process, as a name says it. */
export interface Owner {
  machine: string
  pid: number
  /** When it began; '0' where that cannot be known. */
  start: string
}

/** A new id of this process: `<machine>-<pid>-<start>-<random>`. */
export function newId(): string {
  return `${thisMachine()}-${process.pid}-${ownStart()}-${randomBytes(6).toString('hex')}`
}

/** The process whose id a name ends with; undefined for a name without any. */
export function ownerOf(name: string): Owner | undefined {
  const [, machine, pid, start] = [...name.matchAll(ID)].at(-1) ?? []
  return machine === undefined ? undefined : { machine, pid: Number(pid), start: start! }
}

/** Whether a process lives; `elsewhere`: it is not of this machine, or of one of its containers. */
export function stateOf({ machine, pid, start }: Owner): 'running' | 'gone' | 'elsewhere' {
  if (machine !== thisMachine()) return 'elsewhere'
  try {
    process.kill(pid, 0)
  } catch (error) {
    // EPERM: it is another user's.
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return 'gone'
  }
  const found = procStat(pid)
  if (found === undefined) return 'running'
  // The number may belong to a later process, or to a dead one that nobody has waited for.
  return /[ZX]/.test(found.state) || (start !== '0' && found.start !== start) ? 'gone' : 'running'
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
 * Whether what lies at a path was left by a process that is gone: it is of this machine and does not run any more, or it is of
 * another one, or says nothing of its process, and for an hour nothing in it has changed.
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

let start: string | undefined

function ownStart(): string {
  start ??= procStat(process.pid)?.start ?? '0'
  return start
}

/** State and start (clock ticks, base 36) of a process; undefined where the system does not tell. */
function procStat(pid: number): { state: string; start: string } | undefined {
  try {
    // Of another process namespace than ours it would tell of other processes.
    if (readlinkSync('/proc/self') !== String(process.pid)) return undefined
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The name in parentheses may hold anything.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return { state: fields[0]!, start: Number(fields[19]).toString(36) }
  } catch {
    return undefined
  }
}
