import { valueText } from '../../models/card/markdown.js'
import type { ConfigObject } from '../../native/types.js'
import { isPlainObject } from '../../options.js'
import type { AnyArgument } from '../arguments/argument.js'
import type { TrainingArguments } from '../arguments/arguments.js'
import { ARGUMENTS } from '../arguments/table/index.js'
import type { CallbackContext, LogRecord } from '../callbacks/callbacks.js'
import { snakeCase } from './format.js'
import { MlflowClient, type MlflowMetric, MOST_METRICS, mayPass, type Named } from './mlflow-client.js'
import type { MlflowSettings } from './mlflow-settings.js'
import type { Reporter } from './reporter.js'

/** Milliseconds in which metrics are collected for one request. */
const COLLECT = 1000
/** Milliseconds without a try, after a server did not answer. */
const REST = 30_000
/** Metrics that wait for a server; then the oldest are lost. */
const MOST_WAITING = 100_000
/** Milliseconds that the end of a training waits for the server. */
const LAST = 15_000
/** Characters of a parameter's value. Source: mlflow `MAX_PARAM_VAL_LENGTH`. */
const MOST_CHARACTERS = 6000

export interface MlflowParts {
  settings: MlflowSettings
  modelConfig?: ConfigObject | undefined
  /** Whether the run, if it has not come to its end, was stopped. */
  isStopped?: () => boolean
}

/**
 * Sends the log to an MLflow server, with the names of transformers' MLflowCallback. Training never waits for the server, except at its end,
 * and never fails by it: what cannot be sent is told once.
 * Source: transformers `integrations/integration_utils.py`.
 */
export class MlflowReporter implements Reporter {
  readonly #parts: MlflowParts
  readonly #client: MlflowClient
  readonly #stop = new AbortController()
  #metrics: MlflowMetric[] = []
  #lost = 0
  #begun: { params: Named; name: string | null; time: number } | undefined
  #runId: string | undefined
  /** An evaluation by itself has no training that could fail. */
  #state: 'evaluating' | 'training' | 'ended' = 'evaluating'
  #isClosing = false
  #sending: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #rest = 0
  #isTold = false

  constructor(parts: MlflowParts) {
    this.#parts = parts
    this.#client = new MlflowClient(parts.settings)
  }

  onTrainBegin({ args }: CallbackContext): void {
    this.#state = 'training'
    this.#begin(args)
  }

  onLog(record: Readonly<LogRecord>, { args, state }: CallbackContext): void {
    this.#begin(args)
    const timestamp = Date.now()
    for (const [name, value] of Object.entries(record)) {
      const key = name.replace(/[^0-9A-Za-z_\-. :/]/g, '_')
      this.#metrics.push({ key, value, timestamp, step: state.globalStep })
    }
    const tooMany = this.#metrics.length - MOST_WAITING
    if (tooMany > 0) {
      this.#metrics.splice(0, tooMany)
      this.#lost += tooMany
    }
    this.#later()
  }

  onTrainEnd(): void {
    this.#state = 'ended'
  }

  /** Sends what is left, for some seconds at most, and ends the run. */
  async close(): Promise<void> {
    if (this.#begun === undefined || this.#isClosing) return
    this.#isClosing = true
    clearTimeout(this.#timer)
    const late = setTimeout(() => this.#stop.abort(), LAST)
    await this.#sending
    this.#rest = 0
    await this.#send()
    if (this.#runId !== undefined) {
      const status = this.#state !== 'training' ? 'FINISHED' : this.#parts.isStopped?.() ? 'KILLED' : 'FAILED'
      await this.#told(() => this.#client.updateRun(this.#runId!, status, Date.now(), this.#stop.signal))
    }
    clearTimeout(late)
    this.#stop.abort()
    this.#lost += this.#metrics.length
    if (this.#lost > 0) warn(`${this.#lost} numbers of the log were not sent`)
  }

  #begin(args: Readonly<TrainingArguments>): void {
    if (this.#begun !== undefined) return
    const { settings, modelConfig = {} } = this.#parts
    const { params, tooLong } = mlflowParams(args, modelConfig, settings)
    if (tooLong.length > 0)
      warn(`parameters longer than ${MOST_CHARACTERS} characters are left out: ${tooLong.join(', ')}`)
    this.#begun = { params, name: args.runName, time: Date.now() }
    this.#later(0)
  }

  #later(wait = COLLECT): void {
    if (this.#timer !== undefined || this.#isClosing) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#sending ??= this.#send().finally(() => {
        this.#sending = undefined
        if (this.#metrics.length > 0) this.#later()
      })
    }, wait).unref()
  }

  /** Begins the run, if it has not been begun, and sends what waits. */
  async #send(): Promise<void> {
    if (performance.now() < this.#rest) return
    const { signal } = this.#stop
    const isDone = await this.#told(async () => {
      const { params, name, time } = this.#begun!
      if (this.#runId === undefined) {
        this.#runId = await this.#client.startRun(name, time, signal)
        await this.#refusable(() => this.#client.logParams(this.#runId!, params, signal))
        await this.#refusable(() =>
          this.#client.logTags(this.#runId!, Object.entries(this.#parts.settings.tags), signal),
        )
      }
      while (this.#metrics.length > 0) await this.#sendSome(this.#runId)
    })
    if (!isDone) this.#rest = performance.now() + REST
  }

  /** Sends some metrics. Those that the server refuses for good are lost. */
  async #sendSome(runId: string): Promise<void> {
    const some = this.#metrics.splice(0, MOST_METRICS)
    try {
      await this.#client.logMetrics(runId, some, this.#stop.signal)
    } catch (error) {
      const isLost = !mayPass(error) && !this.#stop.signal.aborted
      if (isLost) this.#lost += some.length
      else this.#metrics.unshift(...some)
      if (!isLost) throw error
      this.#tell(error)
    }
  }

  /** What the server refuses for good, such as a parameter that has another value, is no reason to send nothing else. */
  async #refusable(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (mayPass(error)) throw error
      this.#tell(error)
    }
  }

  /** @returns whether `work` was done; what went wrong is told once */
  async #told(work: () => Promise<void>): Promise<boolean> {
    try {
      await work()
      return true
    } catch (error) {
      this.#tell(error)
      return false
    }
  }

  #tell(error: unknown): void {
    if (!this.#isTold) warn(`${(error as Error).message}. The work goes on without it`)
    this.#isTold = true
  }
}

function warn(text: string): void {
  process.emitWarning(`MLflow: ${text}`, { type: 'SentenceTorchWarning', code: 'WARN_NOT_REPORTED' })
}

/** The model's config and the arguments, by their names in Python, as texts. */
export function mlflowParams(
  args: Readonly<TrainingArguments>,
  config: ConfigObject,
  { flattensParams, mostParams }: Pick<MlflowSettings, 'flattensParams' | 'mostParams'>,
): { params: Named; tooLong: string[] } {
  const table: Readonly<Record<string, AnyArgument>> = ARGUMENTS
  // The address of the server itself is nobody's parameter.
  const own = Object.entries(args).filter(([name]) => name !== 'mlflowTrackingUri')
  const known = own.map(([name, value]) => [table[name]?.python ?? snakeCase(name), value] as const)
  const all = Object.entries({ ...config, ...Object.fromEntries(known) })
  const flat = flattensParams ? all.flatMap(([name, value]) => flattened(name, value)) : all
  const texts = flat.map(([name, value]) => [name, plainText(value)] as const)
  const fits = ([, value]: readonly [string, string]) => value.length <= MOST_CHARACTERS
  return {
    params: texts.filter(fits).slice(0, mostParams),
    tooLong: texts.filter((entry) => !fits(entry)).map(([name]) => name),
  }
}

/** `a.b` for the member b of a. Source: transformers `flatten_dict`. */
function flattened(name: string, value: unknown): (readonly [string, unknown])[] {
  if (!isPlainObject(value) || Object.keys(value).length === 0) return [[name, value]]
  return Object.entries(value).flatMap(([key, member]) => flattened(`${name}.${key}`, member))
}

function plainText(value: unknown): string {
  return value instanceof RegExp || typeof value === 'function' ? String(value) : valueText(value)
}
