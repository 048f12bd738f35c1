/** What `run.json` and `result.json` of a run's folder say. */
import {
  anything,
  arrayOf,
  boolean,
  integer,
  misfit,
  number,
  object,
  oneOf,
  optional,
  type Place,
  recordOf,
  type Schema,
  text,
} from '../io/schema.js'

export const RUN_STATES = ['running', 'finished', 'failed', 'interrupted'] as const
export type RunState = (typeof RUN_STATES)[number]

export const DATA_ROLES = ['train', 'dev', 'test', 'outside'] as const
export type DataRole = (typeof DATA_ROLES)[number]

/** A set of rows that a run used. */
export interface RunData {
  role: DataRole
  /** A path, or the name of a data set of the hub. */
  source: string
  rows?: number
  columns?: readonly string[]
  /** SHA-256 of its bytes or rows, in hexadecimal. */
  sha256?: string
}

/** Everything that has to be the same for a run to give the same numbers again. */
export interface RunManifest {
  format: 1
  /** Name of the recipe. */
  recipe: string
  /** ISO 8601, in UTC. */
  startedAt: string
  finishedAt?: string
  state: RunState
  /** Why the run has failed. */
  error?: string
  /** Folder or hub id of the model that the run began with. */
  baseModel?: string
  /** Path of the trained model, relative to the run's folder. */
  model?: string
  seeds?: Readonly<Record<string, number>>
  data?: readonly RunData[]
  tokenizerSha256?: string
  versions?: Readonly<Record<string, string>>
  processor?: string
  threads?: number
}

/** One number of an evaluation, before and after training. */
export interface RunMetric {
  /** As the evaluator names it: `test_spearman_cosine`. */
  name: string
  /** The name of the evaluator. */
  evaluator: string
  data: Exclude<DataRole, 'train'>
  before: number
  after: number
  higherIsBetter: boolean
  /**
   * Where 95 % of the differences `after` - `before` lie if the items of the data are drawn anew (paired bootstrap, 2,000 times).
   * If 0 is inside, there is no measurable difference. Absent for metrics that are no mean or correlation of items.
   */
  interval?: { low: number; high: number; confidence: number }
  /** What sentence-transformers gives for the same run. */
  python?: number
}

export interface RunResult {
  metrics: readonly RunMetric[]
  /** Sentences for people. */
  notes: readonly string[]
  /** Numbers by name, such as dropped rows. */
  counts: Readonly<Record<string, number>>
}

const digest: Schema<string> = (value, place) => {
  if (typeof value === 'string' && /^[0-9a-f]{64}$/.test(value)) return value
  throw misfit(place, '64 hexadecimal digits', value)
}

const manifest = object({
  format: oneOf(1),
  recipe: text(),
  startedAt: text(),
  finishedAt: optional(text()),
  state: oneOf(...RUN_STATES),
  error: optional(text()),
  baseModel: optional(text()),
  model: optional(text()),
  seeds: optional(recordOf(number())),
  data: optional(
    arrayOf(
      object({
        role: oneOf(...DATA_ROLES),
        source: text(),
        rows: optional(integer(0)),
        columns: optional(arrayOf(text())),
        sha256: optional(digest),
      }),
    ),
  ),
  tokenizerSha256: optional(digest),
  versions: optional(recordOf(text())),
  processor: optional(text()),
  threads: optional(integer(1)),
})

const result = object({
  metrics: arrayOf(
    object({
      name: text(),
      evaluator: text(),
      data: oneOf('dev', 'test', 'outside'),
      before: number(),
      after: number(),
      higherIsBetter: boolean,
      interval: optional(object({ low: number(), high: number(), confidence: number(0, 1) })),
      python: optional(number()),
    }),
  ),
  notes: arrayOf(text()),
  counts: recordOf(number()),
})

export const manifestSchema: Schema<RunManifest> = manifest
export const resultSchema: Schema<RunResult> = result

/** A record of `log.jsonl`; numbers that are not finite are null there. */
export type LoggedRecord = Readonly<Record<string, number | null>> & { readonly step: number }

export const logSchema: Schema<LoggedRecord> = (value: unknown, place: Place) => {
  const record = recordOf(anything)(value, place)
  const step = integer(0)(record.step, { ...place, key: 'step' })
  return {
    ...recordOf<number | null>((entry, at) => (entry === null ? null : number()(entry, at)))(record, place),
    step,
  }
}
