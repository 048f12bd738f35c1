// A recipe that is killed at random moments and started again ends as if nothing had happened, and does no finished stage again.
import { spawn } from 'node:child_process'
import { readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Random } from '../../lib/data/random.js'

/** Recipes whose runs are long enough to be killed in. */
export const KILLED_RECIPES = ['genq', 'gpl', 'tsdae', 'adaptivePretraining', 'augmentedSbert']

const worker = fileURLToPath(new URL('recipe-worker.js', import.meta.url))

interface Ended {
  lines: string[]
  wasKilled: boolean
  /** Milliseconds from the first line of the recipe to its end. */
  time: number
}

/** @param after milliseconds from the recipe's first line to the kill */
function run(recipe: string, folder: string, name: string, after = Number.POSITIVE_INFINITY): Promise<Ended> {
  const child = spawn(process.execPath, [worker, recipe, folder, name], { stdio: ['ignore', 'pipe', 'pipe'] })
  const lines: string[] = []
  let errors = ''
  let start = performance.now()
  let timer: NodeJS.Timeout | undefined
  child.stderr.on('data', (data: Buffer) => {
    errors += data
  })
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (lines.length === 0) {
      start = performance.now()
      if (Number.isFinite(after)) timer = setTimeout(() => child.kill('SIGKILL'), after)
    }
    lines.push(line)
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      if (signal === null && code !== 0) reject(new Error(`${recipe} ended with ${code}: ${errors.slice(-2000)}`))
      else resolve({ lines, wasKilled: signal !== null, time: performance.now() - start })
    })
  })
}

export interface Kills {
  /** How often the run was really killed. */
  count: number
  /** What is wrong; empty if all is well. */
  faults: string[]
}

/**
 * Runs a recipe undisturbed in `folder/whole`, and killed so many times in `folder/killed`.
 * @param seed decides the moments, as shares of the time that the undisturbed run took
 */
export async function killAndCompare(recipe: string, folder: string, kills: number, seed: number): Promise<Kills> {
  const random = new Random(seed, KILLED_RECIPES.indexOf(recipe), 0)
  const faults: string[] = []
  const whole = await run(recipe, folder, 'whole')
  const done = new Map<string, number>()
  let count = 0
  // All kills have to come before the end. A machine that has become faster must not end a run before its first: then moments are earlier.
  let share = Math.min(0.8, 1.6 / kills)
  while (true) {
    const moment = count < kills ? (share * whole.time * random.below(1000)) / 1000 : undefined
    const { lines, wasKilled } = await run(recipe, folder, 'killed', moment)
    if (wasKilled) count++
    else if (count === 0 && share > 0.05) {
      share /= 2
      await rm(join(folder, 'killed'), { recursive: true })
      continue
    }
    for (const line of lines) {
      const [, stage, what] = /^stage (\d+, .+): (runs|continues|runs again.*)$/.exec(line) ?? []
      if (stage !== undefined && done.has(stage.replace(', ', '-')))
        faults.push(`a finished stage is done again: ${line}`)
      if (what?.startsWith('runs again')) faults.push(line)
    }
    for (const [stage, time] of await doneStages(join(folder, 'killed'))) {
      if (done.has(stage) && done.get(stage) !== time) faults.push(`${stage} was finished twice`)
      done.set(stage, time)
    }
    if (!wasKilled) break
  }
  for (const file of ['model/model.safetensors', 'result.json']) {
    const [one, other] = await Promise.all(['whole', 'killed'].map((name) => readFile(join(folder, name, file))))
    if (!one!.equals(other!)) faults.push(`${file} differs from that of the undisturbed run`)
  }
  const hidden = (await readdir(join(folder, 'killed'), { recursive: true })).filter((path) =>
    /checkpoint-\d+$/.test(path),
  )
  if (hidden.length > 0) faults.push(`left behind: ${hidden.join(', ')}`)
  return { count, faults }
}

/** Stages that are done, and when they were. */
async function doneStages(run: string): Promise<Map<string, number>> {
  const found = new Map<string, number>()
  for (const stage of await readdir(join(run, 'stages')).catch(() => [])) {
    const facts = await stat(join(run, 'stages', stage, 'done.json')).catch(() => undefined)
    if (facts) found.set(stage, facts.mtimeMs)
  }
  return found
}
