import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { SentenceTorchError } from '../../errors.js'
import type { EvaluationResult } from '../../evaluation/evaluator.js'
import { makeFolder } from '../../io/files.js'
import { FileLock, takeLock } from '../../io/lock.js'
import { NotSavedError } from '../../io/rescue.js'
import { failedTo } from '../../io/system-error.js'
import { SentenceTransformer } from '../../models/sentence-transformer.js'
import type { ServedModel } from '../served-model.js'
import { checkedFeedback, type Feedback, FeedbackLog } from './feedback.js'
import { FrozenDocuments } from './frozen-documents.js'
import { judged } from './judge.js'
import { type LearnerOptions, type LearnerSettings, learnerSettings } from './options.js'
import { twoTowers } from './query-tower.js'
import type { Round } from './rounds.js'
import { learn } from './training.js'
import { Versions } from './versions.js'

export interface LearnerStatus {
  /** The version that serves, and the one that `rollback` goes back to. */
  version: string
  previous: string | null
  /** What it does. */
  state: 'waiting' | 'training' | 'evaluating' | 'closed'
  /** Feedback in all, and what the version that serves has not learned. */
  feedback: number
  pending: number
  /** The last trainings, the newest at the end. */
  rounds: readonly Round[]
  /** Why `source` ended early. */
  sourceError?: string
}

/**
 * Trains the next version of a model on feedback while the present one serves, measures both, and puts the better one in its place.
 *
 * ```ts
 * const served = new ServedModel(model)
 * const learner = await Learner.start({ served, folder: 'runs/learner', evaluator, every: 200 })
 * const server = await serve({ models: { minilm: served }, learners: { minilm: learner } })
 * ```
 * Feedback comes by `add`, by `POST /feedback`, or from `source`. It is on the disk before it is accepted. A training takes the feedback
 * that the version which serves has not learned. Where the new version is not better, the next training takes it again. After a
 * `rollback` it is not taken again.
 */
export class Learner {
  readonly #settings: LearnerSettings
  readonly #log: FeedbackLog
  readonly #versions: Versions
  readonly #lock: FileLock
  readonly #documents: FrozenDocuments | undefined
  readonly #closing = new AbortController()
  #changes: Promise<unknown> = Promise.resolve()
  #closed: Promise<void> | undefined
  #state: 'waiting' | 'training' | 'evaluating' = 'waiting'
  #running: { round: Promise<Round>; stop: AbortController } | undefined
  #scores: { version: string; result: EvaluationResult } | undefined
  #sourceError: string | undefined
  /** The model that it has put to serve itself, and so disposes of. */
  #own: SentenceTransformer | undefined

  private constructor(settings: LearnerSettings, log: FeedbackLog, versions: Versions, lock: FileLock) {
    this.#settings = settings
    this.#log = log
    this.#versions = versions
    this.#lock = lock
    if (settings.documents !== null) this.#documents = new FrozenDocuments(settings.documents)
  }

  /**
   * Opens the folder. If a learner was there before, its last version serves from now on.
   * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION; ERR_BUSY where another learner uses the folder; ERR_INVALID_FILE, ERR_FILE_SYSTEM
   */
  static async start(options: LearnerOptions): Promise<Learner> {
    const settings = learnerSettings(options)
    const { folder, served } = settings
    await makeFolder(folder).catch(failedTo(`create ${folder}`))
    const lock = await takeLock(join(folder, 'learner.lock')).catch(failedTo(`lock ${folder}`))
    if (!(lock instanceof FileLock)) {
      const holder = lock.pid === undefined ? 'Another program' : `Process ${lock.pid}`
      throw new SentenceTorchError('ERR_BUSY', `${holder} learns in ${folder}`)
    }
    let log: FeedbackLog | undefined
    try {
      log = await FeedbackLog.open(folder)
      const versions = await Versions.open(folder, served.version)
      const learner = new Learner(settings, log, versions, lock)
      const { current, learned } = versions.state
      log.forget(learned)
      // Also where the version has the name of the caller's: its model may be another one than at that time.
      if (current !== served.version || existsSync(versions.path(current)))
        learner.#put(await learner.#load(current), current)
      if (settings.source !== null) void learner.#read(settings.source)
      learner.#learnIfEnough()
      return learner
    } catch (error) {
      await log?.close()
      await lock.release()
      throw error
    }
  }

  get served(): ServedModel {
    return this.#settings.served
  }

  status(): LearnerStatus {
    const { current, previous, learned, rounds } = this.#versions.state
    return {
      ...{ version: current, previous, rounds },
      state: this.#closing.signal.aborted ? 'closed' : this.#state,
      ...{ feedback: this.#log.length, pending: this.#log.length - learned },
      ...(this.#sourceError !== undefined && { sourceError: this.#sourceError }),
    }
  }

  /**
   * Accepts feedback, which is on the disk when the promise resolves. A training starts when there is enough of it.
   * @returns how much feedback the version that serves has not learned
   * @throws ERR_INVALID_ARGUMENT, with which nothing of the call is accepted; ERR_FILE_SYSTEM; ERR_DISPOSED after `close`
   */
  async add(feedback: Feedback | readonly Feedback[]): Promise<{ accepted: number; pending: number }> {
    this.#checkOpen()
    const entries = [feedback].flat().map((each, i) => checkedFeedback(each, `feedback[${i}]`))
    await this.#log.append(entries)
    this.#learnIfEnough()
    return { accepted: entries.length, pending: this.status().pending }
  }

  /** @internal @throws as `learn` */
  checkPending(): void {
    this.#checkOpen()
    if (this.#running || this.status().pending > 0) return
    throw new SentenceTorchError(
      'ERR_INVALID_DATA',
      'There is no feedback that the version which serves has not learned',
    )
  }

  /**
   * Trains a version now; a training that runs already is joined.
   * @returns what became of it, also where it failed
   * @throws ERR_INVALID_DATA where there is no feedback that the version which serves has not learned; ERR_DISPOSED after `close`
   */
  learn(): Promise<Round> {
    try {
      this.checkPending()
      if (this.#running) return this.#running.round
    } catch (error) {
      return Promise.reject(error)
    }
    const stop = new AbortController()
    const round = this.#inTurn(() => this.#round(AbortSignal.any([stop.signal, this.#closing.signal])))
    this.#running = { round, stop }
    return round
  }

  /**
   * Goes back to the version before. A training that runs is stopped, because it began with the version that is taken back.
   * @returns the version that serves now
   * @throws ERR_NOT_FOUND where there is none; ERR_DISPOSED after `close`
   */
  async rollback(): Promise<string> {
    this.#versionBefore()
    this.#running?.stop.abort()
    return this.#inTurn(async () => {
      const previous = this.#versionBefore()
      const model = await this.#load(previous)
      await this.#versions.update({ current: previous, previous: null })
      this.#put(model, previous)
      await this.#versions.tidy()
      return previous
    })
  }

  #versionBefore(): string {
    this.#checkOpen()
    const { current, previous } = this.#versions.state
    if (previous === null) throw new SentenceTorchError('ERR_NOT_FOUND', `There is no version before ${current}`)
    return previous
  }

  /** Stops a training that runs, whose feedback stays, and reads no more of `source`. The version that serves goes on serving. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    this.#closing.abort()
    await this.#changes
    try {
      await this.#log.close()
    } finally {
      await this.#lock.release()
    }
  }

  /** Disposes of the model that the learner has put to serve. To be called after `close`, when nothing is served any more. */
  async dispose(): Promise<void> {
    await this.close()
    await this.#own?.dispose()
  }

  #checkOpen(): void {
    if (this.#closing.signal.aborted) throw new SentenceTorchError('ERR_DISPOSED', 'The learner was closed')
  }

  /** Trainings and roll-backs one after the other: each begins with the version that the one before has left. */
  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const done = this.#changes.then(change)
    this.#changes = done.catch(() => {})
    return done
  }

  #learnIfEnough(): void {
    const { every } = this.#settings
    const fresh = this.#log.length - this.#versions.state.tried
    if (every > 0 && fresh >= every && !this.#running && !this.#closing.signal.aborted) this.learn().catch(() => {})
  }

  async #read(source: AsyncIterable<Feedback | readonly Feedback[]>): Promise<void> {
    try {
      for await (const feedback of source) {
        if (this.#closing.signal.aborted) return
        await this.add(feedback)
      }
    } catch (error) {
      if (!this.#closing.signal.aborted) this.#sourceError = messageOf(error)
    }
  }

  async #round(signal: AbortSignal): Promise<Round> {
    const start = performance.now()
    const { current: from, previous, learned } = this.#versions.state
    let { next } = this.#versions.state
    while ([from, previous, this.served.version].includes(String(next))) next++
    const pairs = this.#log.from(learned)
    const facts = { version: String(next), from, startedAt: new Date().toISOString(), pairs: pairs.length }
    const seconds = () => Math.round((performance.now() - start) / 10) / 100
    let model: SentenceTransformer | undefined
    let round: Round
    try {
      await this.#versions.update({ next: next + 1, tried: this.#log.length })
      this.#state = 'training'
      model = await this.#load(from)
      await learn(model, pairs, this.#settings, { documents: this.#documents, signal, round: next })
      this.#state = 'evaluating'
      const { isBetter, numbers, result } = await this.#judge(from, model, signal)
      round = { ...facts, ...numbers, outcome: isBetter ? 'swapped' : 'kept', seconds: seconds() }
      const rounds = this.#versions.withRound(round)
      if (isBetter) {
        const { version } = facts
        await model.save(this.#versions.path(version))
        signal.throwIfAborted()
        await this.#versions.update({ current: version, previous: from, learned: learned + pairs.length, rounds })
        this.#scores = { version, result }
        this.#put(model, version)
        this.#log.forget(learned + pairs.length)
        model = undefined
      } else await this.#versions.update({ rounds })
    } catch (error) {
      const failed = signal.aborted
        ? ({ outcome: 'stopped' } as const)
        : ({ outcome: 'failed', error: messageOf(error instanceof NotSavedError ? error.cause : error) } as const)
      round = { ...facts, ...failed, seconds: seconds() }
      await this.#versions.addRound(round).catch(() => {})
      // The rescue of a model that took hours is not for one that is trained again.
      if (error instanceof NotSavedError && error.savedIn) await rm(error.savedIn, { recursive: true, force: true })
    }
    await model?.dispose().catch(() => {})
    await this.#versions.tidy().catch(() => {})
    this.#running = undefined
    this.#state = 'waiting'
    try {
      this.#settings.onRound?.(round)
    } catch {}
    this.#learnIfEnough()
    return round
  }

  /** The model of a version that has served, computing as the one that serves. */
  async #load(version: string): Promise<SentenceTransformer> {
    const path = this.#versions.path(version)
    const model = this.served.model as SentenceTransformer
    if (version === this.served.version && !existsSync(path)) await model.save(path)
    return SentenceTransformer.load(path, { device: model.device, dtype: model.dtype })
  }

  async #judge(from: string, model: SentenceTransformer, signal: AbortSignal) {
    const { evaluator, swap } = this.#settings
    const documents = this.#documents
    const measure = (one: SentenceTransformer) =>
      evaluator.evaluate(documents === undefined ? one : twoTowers(one, documents), { signal, items: true })
    if (this.#scores?.version !== from) {
      this.#scores = { version: from, result: await measure(this.served.model as SentenceTransformer) }
    }
    const result = await measure(model)
    return { result, ...(await judged(this.#scores.result, result, swap)) }
  }

  /** Lets a model serve. The one before is disposed of when no request uses it, unless it is the caller's. */
  #put(model: SentenceTransformer, version: string): void {
    const old = this.#own
    const unused = this.served.swap(model, { version })
    this.#own = model
    void unused.then(() => old?.dispose()).catch(() => {})
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
