import type { Budget } from './budget.js'
import { asServeError, ClientGone, type ErrorKind, ServeError } from './errors.js'
import type { Learner } from './learner/learner.js'
import type { ModelSet } from './model-set.js'
import type { Lease, ModelTask } from './served-model.js'
import type { Facts, ServerMetrics } from './server-metrics.js'
import type { Settings } from './settings.js'

/** What all requests of a handler share. */
export interface Service {
  readonly models: ModelSet
  /** By the names of their models. */
  readonly learners: ReadonlyMap<string, Learner>
  readonly settings: Settings
  /** Texts in work. */
  readonly texts: Budget
  /** Bytes of bodies that are read or worked on. */
  readonly bytes: Budget
  readonly metrics: ServerMetrics
  /** Whether it takes no new work. */
  isDraining: boolean
}

/** A request that a route answers. */
export class Call {
  #cleanups: (() => void)[] = []
  #giveTextsBack: (() => void)[] = []

  constructor(
    readonly service: Service,
    readonly id: string,
    /** The name in `/models/NAME/…`. */
    readonly pathModel: string | undefined,
    /** Fires when the client has gone, or the deadline is over. */
    readonly signal: AbortSignal,
    readonly facts: Facts,
    /** The version that has to answer, from the header `x-model-version`. */
    readonly wantedVersion: string | undefined,
  ) {}

  /** A version of the model that the request asks for, until the request ends. */
  lease(tasks: readonly ModelTask[], bodyModel: string | undefined): Lease {
    const lease = this.service.models.lease(tasks, this.pathModel ?? bodyModel)
    this.facts.model = lease.name
    this.facts.version = lease.version
    this.atEnd(lease.release)
    const { name, version } = lease
    if (this.wantedVersion === undefined || this.wantedVersion === version) return lease
    const message = `The model ${name} is served in version ${version}, not in ${JSON.stringify(this.wantedVersion.slice(0, 200))}`
    throw new ServeError('Validation', message, { status: 412, code: 'other_version' })
  }

  /** What trains the model that the request names, or the only one. @throws ServeError 404 */
  learner(bodyModel: string | undefined): Learner {
    const { learners } = this.service
    const name = this.pathModel ?? bodyModel ?? (learners.size === 1 ? [...learners.keys()][0] : undefined)
    const found = name === undefined ? undefined : learners.get(name)
    if (found) {
      this.facts.model = name!
      this.facts.version = found.status().version
      return found
    }
    const names = [...learners.keys()].join(', ')
    const hint = learners.size === 0 ? 'no model that is served learns' : `those that learn are ${names}`
    const message =
      name === undefined
        ? `Name a model: ${hint}`
        : `The model ${JSON.stringify(name.slice(0, 200))} does not learn: ${hint}`
    throw new ServeError('Validation', message, { status: 404, param: 'model', code: 'no_learner' })
  }

  /** How the engine is asked for the work of this request. */
  get engineOptions(): { signal: AbortSignal; maxBatchTokens?: number } {
    const { maxBatchTokens } = this.service.settings
    return { signal: this.signal, ...(maxBatchTokens !== null && { maxBatchTokens }) }
  }

  /** Takes the room of texts in work, until they are computed. @throws ServeError 429 */
  takeTexts(amount: number): void {
    this.facts.texts += amount
    this.#giveTextsBack.push(this.service.texts.take(amount))
  }

  /** To be called when nothing is left but to send: a client that reads slowly keeps no other from being answered. */
  computed(): void {
    for (const giveBack of this.#giveTextsBack.splice(0)) giveBack()
  }

  /** Runs the work of a model inside of the tracer's hook, and measures it. */
  async work<T>(task: 'embed' | 'predict', { name, version }: Lease, run: () => Promise<T>): Promise<T> {
    const { metrics, settings } = this.service
    const [count, success] =
      task === 'embed' ? [metrics.embedCount, metrics.embedSuccess] : [metrics.predictCount, metrics.predictSuccess]
    const { texts, tokens } = this.facts
    const start = performance.now()
    count.add({}, texts)
    const traced = { requestId: this.id, task, model: name, version, texts, tokens }
    const result = await (settings.hooks?.work ? settings.hooks.work(traced, run) : run())
    this.facts.inference += performance.now() - start
    success.add({}, texts)
    return result
  }

  /** @param cleanup runs when the request has its answer, or has failed */
  atEnd(cleanup: () => void): void {
    this.#cleanups.push(cleanup)
  }

  end(): void {
    this.computed()
    for (const cleanup of this.#cleanups.splice(0)) cleanup()
  }
}

/** TEI's names of failures, for its counter. */
const FAILURES: Record<ErrorKind, string> = {
  Unhealthy: 'unhealthy',
  Backend: 'inference',
  Overloaded: 'overloaded',
  Validation: 'validation',
  Tokenizer: 'tokenization',
  Empty: 'validation',
}

/** An error as an answer, counted. @returns undefined where nobody waits for it */
export function failure(error: unknown, { metrics }: Service): ServeError | undefined {
  if (error instanceof ClientGone) {
    metrics.failures.add({ err: 'dropped' })
    return undefined
  }
  const answer = asServeError(error)
  const err =
    answer.code === 'unsupported_model' ? 'model_type' : answer.code === 'batch_size' ? 'batch_size' : undefined
  metrics.failures.add({ err: err ?? FAILURES[answer.kind] })
  return answer
}
