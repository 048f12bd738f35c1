/** The part of MLflow's REST API that a run needs. Source: https://mlflow.org/docs/latest/rest-api.html */
import { userInfo } from 'node:os'
import { SentenceTorchError } from '../../errors.js'
import { Requests } from '../../io/requests.js'
import { object, text } from '../../io/schema.js'
import type { MlflowSettings } from './mlflow-settings.js'

export interface MlflowMetric {
  key: string
  value: number
  /** Milliseconds since 1970. */
  timestamp: number
  step: number
}

export type RunStatus = 'RUNNING' | 'FINISHED' | 'FAILED' | 'KILLED'
export type Named = readonly (readonly [key: string, value: string])[]

/** What one request may hold. */
export const MOST_METRICS = 1000
const MOST_PARAMS = 100

const EXPERIMENT = object({ experiment_id: text() })
const FOUND_EXPERIMENT = object({ experiment: EXPERIMENT })
const RUN = object({ run: object({ info: object({ run_id: text() }) }) })

export class MlflowClient {
  readonly #settings: MlflowSettings
  readonly #requests: Requests

  constructor(settings: MlflowSettings) {
    this.#settings = settings
    this.#requests = new Requests(settings.limits)
  }

  /** The run of the settings, which is continued, or a new one. @returns its id */
  async startRun(name: string | null, startTime: number, signal: AbortSignal): Promise<string> {
    const { experiment, runId } = this.#settings
    if (runId !== undefined) {
      await this.updateRun(runId, 'RUNNING', undefined, signal)
      return runId
    }
    const experimentId = 'id' in experiment ? experiment.id : await this.#experiment(experiment.name, signal)
    const tags = {
      'mlflow.user': userName(),
      'mlflow.source.name': process.argv[1] ?? 'node',
      'mlflow.source.type': 'LOCAL',
      ...(name !== null && { 'mlflow.runName': name }),
    }
    const body = {
      ...{
        experiment_id: experimentId,
        start_time: startTime,
        user_id: userName(),
        tags: entries(Object.entries(tags)),
      },
      ...(name !== null && { run_name: name }),
    }
    const { run } = RUN(await this.#post('runs/create', body, signal), this.#place('runs/create'))
    return run.info.run_id
  }

  async updateRun(id: string, status: RunStatus, endTime: number | undefined, signal: AbortSignal): Promise<void> {
    await this.#post('runs/update', { run_id: id, status, ...(endTime !== undefined && { end_time: endTime }) }, signal)
  }

  async logParams(id: string, params: Named, signal: AbortSignal): Promise<void> {
    for (let i = 0; i < params.length; i += MOST_PARAMS) {
      await this.#post('runs/log-batch', { run_id: id, params: entries(params.slice(i, i + MOST_PARAMS)) }, signal)
    }
  }

  async logTags(id: string, tags: Named, signal: AbortSignal): Promise<void> {
    for (let i = 0; i < tags.length; i += MOST_PARAMS) {
      await this.#post('runs/log-batch', { run_id: id, tags: entries(tags.slice(i, i + MOST_PARAMS)) }, signal)
    }
  }

  /** @param metrics at most `MOST_METRICS` */
  async logMetrics(id: string, metrics: readonly MlflowMetric[], signal: AbortSignal): Promise<void> {
    const texts = metrics.map((metric) => ({ ...metric, value: jsonNumber(metric.value) }))
    await this.#post('runs/log-batch', { run_id: id, metrics: texts }, signal)
  }

  async #experiment(name: string, signal: AbortSignal): Promise<string> {
    const query = `experiments/get-by-name?experiment_name=${encodeURIComponent(name)}`
    try {
      const found = await this.#requests.get(this.#url(query), this.#settings.headers, signal)
      return FOUND_EXPERIMENT(found, this.#place(query)).experiment.experiment_id
    } catch (error) {
      if (!/RESOURCE_DOES_NOT_EXIST/.test((error as Error).message)) throw error
    }
    const path = 'experiments/create'
    return EXPERIMENT(await this.#post(path, { name }, signal), this.#place(path)).experiment_id
  }

  #post(path: string, body: object, signal: AbortSignal): Promise<unknown> {
    return this.#requests.post(this.#url(path), this.#settings.headers, body, signal)
  }

  #url(path: string): string {
    return `${this.#settings.uri}/api/2.0/mlflow/${path}`
  }

  #place(path: string) {
    return { file: `the answer of ${this.#url(path)}`, key: '', code: 'ERR_NETWORK' as const }
  }
}

/** Whether another try may help: the server was not reached, or was busy. */
export function mayPass(error: unknown): boolean {
  return !(error instanceof SentenceTorchError) || /, also in the last of \d+ tries$/.test(error.message)
}

function entries(named: Named): { key: string; value: string }[] {
  return named.map(([key, value]) => ({ key, value }))
}

/** Numbers that JSON has not are texts in the JSON of protocol buffers. */
function jsonNumber(value: number): number | string {
  return Number.isFinite(value) ? value : String(value)
}

function userName(): string {
  try {
    return userInfo().username
  } catch {
    return 'unknown'
  }
}
