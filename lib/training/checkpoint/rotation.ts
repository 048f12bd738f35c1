import { readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { SentenceTorchError } from '../../errors.js'
import { failedTo } from '../../io/system-error.js'
import { isLeftOver, parseTemporary, temporaryBeside, tidyFolder } from '../../io/temporary.js'

const NAME = /^checkpoint-(\d+)$/

/** Names of the checkpoints in a folder, ordered by step. Only whole ones count: those with `trainer_state.json`. */
export async function listCheckpoints(outputDir: string): Promise<string[]> {
  const names = (await entries(outputDir)).filter((name) => NAME.test(name))
  const whole: string[] = []
  for (const name of names) if (await exists(join(outputDir, name, 'trainer_state.json'))) whole.push(name)
  return whole.sort((a, b) => stepOf(a) - stepOf(b))
}

/**
 * The newest checkpoint.
 * @throws ERR_NOT_FOUND without any
 */
export async function newestCheckpoint(outputDir: string): Promise<string> {
  const newest = (await listCheckpoints(outputDir)).at(-1)
  if (newest !== undefined) return join(outputDir, newest)
  throw new SentenceTorchError('ERR_NOT_FOUND', `There is no checkpoint in ${outputDir} to go on from`)
}

/**
 * Removes the oldest checkpoints until `limit` are left, but none of `kept`. A checkpoint that cannot be removed stays, with a
 * warning.
 * @returns the names of the removed ones
 */
export async function rotateCheckpoints(
  outputDir: string,
  limit: number,
  kept: readonly (string | undefined)[],
): Promise<string[]> {
  const names = await listCheckpoints(outputDir)
  const removed: string[] = []
  const keep = new Set(kept.filter((name) => name !== undefined && names.includes(name)))
  let left = names.length
  for (const name of names) {
    if (left <= Math.max(limit, keep.size)) break
    if (keep.has(name)) continue
    left--
    try {
      await remove(outputDir, name)
      removed.push(name)
    } catch (error) {
      // The training itself went well, so this does not end it.
      const message = `The checkpoint ${join(outputDir, name)} could not be removed: ${(error as Error).message}`
      process.emitWarning(message, 'SentenceTorchWarning')
    }
  }
  return removed
}

/**
 * Tidies up after processes that ended while they were saving: removes half-written folders and restores a checkpoint that was
 * about to be replaced. What a running process writes stays.
 */
export async function recoverCheckpoints(outputDir: string): Promise<void> {
  for (const name of await entries(outputDir)) {
    const { base = '', kind } = parseTemporary(name) ?? {}
    if (kind !== 'old' || !NAME.test(base) || (await exists(join(outputDir, base)))) continue
    const path = join(outputDir, name)
    // Another process may restore it at the same time.
    if (await isLeftOver(path)) await rename(path, join(outputDir, base)).catch(() => {})
  }
  await tidyFolder(outputDir)
}

/** A half-removed checkpoint must not look like a whole one: it is renamed first, or loses `trainer_state.json` first. */
async function remove(outputDir: string, name: string): Promise<void> {
  const folder = join(outputDir, name)
  const moved = temporaryBeside(folder, 'tmp')
  const path = await rename(folder, moved).then(
    () => moved,
    () => folder,
  )
  await rm(join(path, 'trainer_state.json'), { force: true })
  await rm(path, { recursive: true, force: true })
}

function stepOf(name: string): number {
  return Number(NAME.exec(name)![1])
}

async function entries(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    return failedTo(`look for checkpoints in ${folder}`)(error)
  })
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
