import { setTimeout } from 'node:timers/promises'
import { throwIfAborted } from './abort.js'
import { FileLock, type LockHolder, STALE_MILLISECONDS, takeLock } from './lock.js'

const POLL_MILLISECONDS = 1000

export interface WaitForLockOptions {
  /** What waits, for the error of the signal: `Waiting for the folder runs/a`. */
  what: string
  signal?: AbortSignal | undefined
  /** Called once before it waits. */
  onWait?: (holder: LockHolder) => void
}

/**
 * Takes a lock. Whether a process of another machine or container still runs shows only after a while. Waiting for that lets a
 * container that was killed and restarted go on.
 * @returns the lock, or a holder that runs
 * @throws ERR_ABORTED; errors of the file system
 */
export async function waitForLock(
  path: string,
  { what, signal, onWait }: WaitForLockOptions,
): Promise<FileLock | LockHolder> {
  const first = await takeLock(path)
  let taken = first
  const begin = performance.now()
  let isOver = false
  // The file's time may lie in the future, so our own waiting time counts too.
  while (!(taken instanceof FileLock) && !(first instanceof FileLock)) {
    if (isOver || !taken.isElsewhere || taken.touched !== first.touched) return taken
    if (taken === first) onWait?.(taken)
    await setTimeout(POLL_MILLISECONDS)
    throwIfAborted(signal, what)
    isOver = performance.now() - begin > STALE_MILLISECONDS
    taken = await takeLock(path, undefined, isOver ? first.touched : undefined)
  }
  return taken
}

/** How a message calls who holds a lock. */
export function nameOfHolder({ pid, host }: LockHolder): string {
  return `process ${pid ?? 'of unknown number'} on ${host ?? 'an unknown host'}`
}
