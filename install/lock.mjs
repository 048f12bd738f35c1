// A lock file between processes. Its holder touches it; one that is no longer touched, or whose holder died, is stale.

import { readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'

const TOUCH_EVERY_MS = 5_000
const STALE_AFTER_MS = 60_000

/**
 * Waits for the lock, runs `work`, releases it. Two processes that find the same stale lock may both get in: callers must
 * only lose work by that (the cache is filled in a temporary folder and renamed), not correctness.
 * @template T
 * @param {string} path
 * @param {() => Promise<T>} work
 * @param {{ onWait?: (holder: string) => void, pollMs?: number, staleMs?: number }} [options]
 * @returns {Promise<T>}
 */
export async function withLock(path, work, { onWait, pollMs = 500, staleMs = STALE_AFTER_MS } = {}) {
  const token = JSON.stringify({ pid: process.pid, host: hostname(), started: new Date().toISOString() })
  for (let waited = false; ; ) {
    try {
      await writeFile(path, token, { flag: 'wx' })
      break
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error
    }
    if (await isStale(path, staleMs)) {
      await rm(path, { force: true })
      continue
    }
    if (!waited) onWait?.((await readFile(path, 'utf8').catch(() => '')) || path)
    waited = true
    await sleep(pollMs)
  }

  const touch = setInterval(() => {
    const now = new Date()
    utimes(path, now, now).catch(() => {}) // Removed from outside: the lock is lost, the work goes on.
  }, TOUCH_EVERY_MS)
  try {
    return await work()
  } finally {
    clearInterval(touch)
    if ((await readFile(path, 'utf8').catch(() => '')) === token) await rm(path, { force: true })
  }
}

/**
 * @param {string} path
 * @param {number} staleMs
 * @returns {Promise<boolean>}
 */
async function isStale(path, staleMs) {
  try {
    const { mtimeMs } = await stat(path)
    if (Date.now() - mtimeMs > staleMs) return true
    const { pid, host } = JSON.parse(await readFile(path, 'utf8'))
    return host === hostname() && !isAlive(pid)
  } catch {
    return false // Just released, or its holder has not written its name yet: look again.
  }
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM'
  }
}
