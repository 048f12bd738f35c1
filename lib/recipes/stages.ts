/**
 * The stages of a long recipe: folders `stages/<n>-<name>` of a run, each with a `done.json` that says what it was made from. A
 * stage whose inputs are the same is taken as it is. One whose inputs changed is made again.
 */
import { lstat, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { hashJson } from '../data/hash-json.js'
import { invalidArgument } from '../errors.js'
import { throwIfAborted } from '../io/abort.js'
import { writeFileAtomic } from '../io/atomic.js'
import { absent, makeFolder } from '../io/files.js'
import { isPlainObject } from '../options.js'
import { filesIn } from './fingerprint.js'
import { readRecord, type StageRecord } from './stage-record.js'

/** What a stage is made from: whatever JSON holds. Of data and folders give a fingerprint. Earlier stages: their `key`. */
export type StageInputs = Readonly<Record<string, unknown>>

export interface Stage {
  readonly name: string
  /** Where its files are. */
  readonly folder: string
  /** Stands for its inputs; an input of later stages. */
  readonly key: string
  /** Whether it was there already, from an earlier run. */
  readonly isReused: boolean
}

export interface StagesOptions {
  signal?: AbortSignal | undefined
  /** Told which stage runs, which one is reused, and why one runs again. */
  log?: ((line: string) => void) | undefined
}

/** What a stage's work gets. */
export interface StageWork {
  /** Its folder, which is there. */
  readonly folder: string
  /**
   * Whether an earlier run with the same inputs was stopped in this stage. Its files are still there: a training can go on from its
   * last checkpoint, rows that were written need not be made again.
   */
  readonly isContinued: boolean
}

const STARTED = 'inputs.json'
const DONE = 'done.json'

/** Runs the stages of one run folder, one after another. */
export class Stages {
  readonly #folder: string
  readonly #options: StagesOptions
  #count = 0

  /** @param folder the run's folder */
  constructor(folder: string, options: StagesOptions = {}) {
    this.#folder = join(folder, 'stages')
    this.#options = options
  }

  /**
   * Runs `work`, unless an earlier run did so with the same inputs and all that it wrote is still there.
   * @param name part of the folder's name: letters, digits and '-'
   * @param inputs all that decides the result
   * @throws what `work` throws; then the stage is not done, and its files stay for the next run; ERR_ABORTED
   */
  async run(name: string, inputs: StageInputs, work: (stage: StageWork) => Promise<void>): Promise<Stage> {
    if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name)) throw invalidArgument('the name of a stage', 'a-z, 0-9 and -', name)
    if (!isPlainObject(inputs)) throw invalidArgument('the inputs of a stage', 'an object', inputs)
    throwIfAborted(this.#options.signal, `Stage ${name}`)
    const folder = join(this.#folder, `${++this.#count}-${name}`)
    const hashes = await hashesOf(inputs)
    const key = await hashJson(hashes)
    const label = `stage ${this.#count}, ${name}`
    const done = await readRecord(join(folder, DONE))
    if (done !== undefined) {
      const reason = changed(done.inputs, hashes) ?? (await missing(folder, done))
      if (reason === undefined) {
        this.#log(`${label}: reused, its inputs are the same`)
        return { name, folder, key, isReused: true }
      }
      this.#log(`${label}: runs again, because ${reason}`)
    }
    const started = done === undefined ? await readRecord(join(folder, STARTED)) : undefined
    const isContinued = started !== undefined && changed(started.inputs, hashes) === undefined
    if (!isContinued) await rm(folder, { recursive: true, force: true })
    if (done === undefined) this.#log(`${label}: ${isContinued ? 'continues' : 'runs'}`)
    await makeFolder(folder)
    await writeJson(join(folder, STARTED), { format: 1, inputs: hashes, given: inputs })
    await work({ folder, isContinued })
    const files = await sizesIn(folder)
    await writeJson(join(folder, DONE), { format: 1, key, inputs: hashes, given: inputs, files })
    return { name, folder, key, isReused: false }
  }

  #log(line: string): void {
    this.#options.log?.(line)
  }
}

async function hashesOf(inputs: StageInputs): Promise<Record<string, string>> {
  const hashes: Record<string, string> = {}
  for (const name of Object.keys(inputs).sort()) {
    // JSON leaves undefined out, so that an option that is absent and one that is undefined are the same.
    if (inputs[name] !== undefined) hashes[name] = await hashJson(JSON.parse(JSON.stringify(inputs[name])))
  }
  return hashes
}

/** The first difference of two stages' inputs, in words. */
function changed(before: Readonly<Record<string, string>>, now: Readonly<Record<string, string>>): string | undefined {
  const names = [...new Set([...Object.keys(now), ...Object.keys(before)])].filter((name) => before[name] !== now[name])
  return names.length === 0 ? undefined : `${names.join(', ')} changed`
}

/** The first file that a done stage no longer has, in words. */
async function missing(folder: string, { files = {} }: StageRecord): Promise<string | undefined> {
  for (const [path, size] of Object.entries(files)) {
    const found = await lstat(join(folder, path)).catch(absent(undefined))
    if (found === undefined) return `its file ${path} is gone`
    if (found.size !== size) return `its file ${path} has ${found.size} bytes, not ${size}`
  }
  return undefined
}

async function sizesIn(folder: string): Promise<Record<string, number>> {
  const sizes: Record<string, number> = {}
  for (const path of await filesIn(folder)) sizes[path] = (await lstat(join(folder, path))).size
  return sizes
}

function writeJson(path: string, value: object): Promise<void> {
  return writeFileAtomic(path, `${JSON.stringify(value, null, 2)}\n`)
}
