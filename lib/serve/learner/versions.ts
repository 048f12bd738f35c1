import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { writeFileAtomic } from '../../io/atomic.js'
import { absent, makeFolder } from '../../io/files.js'
import { arrayOf, integer, number, object, oneOf, optional, parseJson, type Schema, text } from '../../io/schema.js'
import { failedTo } from '../../io/system-error.js'
import type { Round } from './rounds.js'

/** What a learner remembers beside the feedback. */
export interface LearnerState {
  format: 1
  /** The version that serves. */
  current: string
  /** The one to go back to. */
  previous: string | null
  /** The number of the next version. */
  next: number
  /** How much of the feedback the current version has learned, from its beginning. */
  learned: number
  /** How much of the feedback there was when the last training began. */
  tried: number
  /** The last ones. */
  rounds: readonly Round[]
}

const MOST_ROUNDS = 100

const stateSchema: Schema<LearnerState> = object({
  format: oneOf(1),
  current: text(200),
  previous: (value, place) => (value === null ? null : text(200)(value, place)),
  next: integer(1),
  learned: integer(0),
  tried: integer(0),
  rounds: arrayOf(
    object({
      version: text(),
      from: text(),
      startedAt: text(),
      seconds: number(0),
      pairs: integer(0),
      outcome: oneOf('swapped', 'kept', 'failed', 'stopped'),
      metric: optional(text()),
      before: optional(number()),
      after: optional(number()),
      interval: optional(object({ difference: number(), low: number(), high: number(), confidence: number(0, 1) })),
      error: optional(text()),
    }),
  ),
}) as Schema<LearnerState>

/** The versions of a model as folders, and the state of its learner, which is written as a whole. */
export class Versions {
  readonly #folder: string
  #state: LearnerState

  private constructor(folder: string, state: LearnerState) {
    this.#folder = folder
    this.#state = state
  }

  /** @param version that serves where the folder is new @throws ERR_INVALID_FILE, ERR_FILE_SYSTEM */
  static async open(folder: string, version: string): Promise<Versions> {
    const path = join(folder, 'state.json')
    const written = await readFile(path, 'utf8')
      .catch(absent(undefined))
      .catch(failedTo(`read ${path}`))
    const fresh = { format: 1, current: version, previous: null, next: 2, learned: 0, tried: 0, rounds: [] } as const
    await makeFolder(join(folder, 'versions')).catch(failedTo(`create ${folder}`))
    return new Versions(folder, written === undefined ? fresh : parseJson(written, path, stateSchema))
  }

  get state(): LearnerState {
    return this.#state
  }

  async update(changes: Partial<LearnerState>): Promise<void> {
    const state = { ...this.#state, ...changes }
    const path = join(this.#folder, 'state.json')
    await writeFileAtomic(path, `${JSON.stringify(state, null, 2)}\n`).catch(failedTo(`write ${path}`))
    this.#state = state
  }

  /** Adds a round that changed nothing, which the status has also where it cannot be written. */
  async addRound(round: Round): Promise<void> {
    const rounds = this.withRound(round)
    this.#state = { ...this.#state, rounds }
    await this.update({ rounds })
  }

  /** The state's rounds with one more. */
  withRound(round: Round): readonly Round[] {
    return [...this.#state.rounds, round].slice(-MOST_ROUNDS)
  }

  /** The folder of a version's model. A version may have any name. */
  path(version: string): string {
    return join(this.#folder, 'versions', nameOf(version))
  }

  /** Removes the versions that neither serve nor may be gone back to. */
  async tidy(): Promise<void> {
    const { current, previous } = this.#state
    const kept = [current, previous ?? current].map(nameOf)
    for (const name of await readdir(join(this.#folder, 'versions'))) {
      if (!kept.includes(name)) await rm(join(this.#folder, 'versions', name), { recursive: true, force: true })
    }
  }
}

/** A name that can be a file's: not '.' and '..', no '/'. */
function nameOf(version: string): string {
  return `v-${encodeURIComponent(version)}`
}
