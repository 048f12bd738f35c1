/** The options of a server, checked, with TEI's defaults. */
import {
  flag,
  integer,
  nullable,
  type OptionTable,
  type OptionValues,
  option,
  optionValues,
  text,
} from '../options/kinds.js'
import { isOrigin } from './cors.js'
import type { Hooks } from './hooks.js'
import { Learner } from './learner/learner.js'
import type { LogRecord } from './log.js'
import type { AnyModel, ServedModel } from './served-model.js'

export interface HandlerOptions {
  /** Models by the names that requests call them. Routes take the first that has their task, unless a request names one. */
  models: Readonly<Record<string, AnyModel | ServedModel>>
  /** What trains models while they serve, by the models' names. Default: none. */
  learners?: Readonly<Record<string, Learner>>
  /** Texts in work at a time; what goes beyond is answered by 429. Default 512. */
  maxConcurrentRequests?: number
  /** Tokens that the engine computes together at most, those of several requests included. Default: as of `encode`. */
  maxBatchTokens?: number | null
  /** Texts of one request. Default 32. */
  maxClientBatchSize?: number
  /** Bytes of a request's body. Default 2,000,000. */
  payloadLimit?: number
  /** Whether texts that are too long are cut where a request does not say; otherwise they are answered by 422. Default true. */
  autoTruncate?: boolean
  /** The prompt of texts where a request names none. Default: the model's own. */
  defaultPromptName?: string | null
  /** Milliseconds after which a request that is not done is answered by 503. Default 0: never. */
  deadline?: number
  /** Milliseconds that a client may take to read an answer before it is cut off; not of `fetch`. Default 120,000. */
  sendTimeout?: number
  /** One of these has to stand in `Authorization: Bearer …`. Default: none, everybody may ask. */
  apiKeys?: readonly string[]
  /** Origins of web pages that may ask; `*` for all. Default: none. */
  corsAllowOrigin?: readonly string[]
  /** Whether `GET /` shows a page of queue, latency and versions. Default false, with `serve` true. */
  page?: boolean
  /** What stands before every path, such as `/api/embeddings`. Default ''. */
  basePath?: string
  /** Gets a record of every request. Texts and keys are not in it. Default: none. */
  log?: ((record: LogRecord) => void) | null
  /** For tracing, such as OpenTelemetry. */
  hooks?: Hooks | null
}

const listOfTexts = option<readonly string[]>({
  type: 'readonly string[]',
  default: [],
  expected: 'an array of texts that are not empty',
  fits: (value) => Array.isArray(value) && value.every((each) => typeof each === 'string' && each !== ''),
})

const call = <T>(expected: string) =>
  nullable(
    option<T>({ type: 'function', default: null as never, expected, fits: (value) => typeof value === 'function' }),
  )

const hooks = nullable(
  option<Hooks>({
    type: 'Hooks',
    default: null as never,
    expected: 'an object of the functions request and work',
    fits: (value) =>
      typeof value === 'object' &&
      value !== null &&
      Object.entries(value).every(([name, each]) => ['request', 'work'].includes(name) && typeof each === 'function'),
  }),
)

const OPTIONS = {
  learners: option<Readonly<Record<string, Learner>>>({
    ...{ type: 'Readonly<Record<string, Learner>>', default: {}, expected: 'learners by the names of their models' },
    fits: (value) =>
      typeof value === 'object' && value !== null && Object.values(value).every((each) => each instanceof Learner),
  }),
  maxConcurrentRequests: integer(512, { least: 1 }),
  maxBatchTokens: nullable(integer(undefined, { least: 1 })),
  maxClientBatchSize: integer(32, { least: 1 }),
  payloadLimit: integer(2_000_000, { least: 1 }),
  autoTruncate: flag(true),
  defaultPromptName: nullable(text('', 'the name of a prompt')),
  deadline: integer(0, { least: 0 }),
  sendTimeout: integer(120_000, { least: 1 }),
  apiKeys: listOfTexts,
  corsAllowOrigin: option<readonly string[]>({
    type: 'readonly string[]',
    default: [],
    expected: "an array of '*' or origins such as 'https://example.com'",
    fits: (value) => Array.isArray(value) && value.every((each) => typeof each === 'string' && isOrigin(each)),
  }),
  page: flag(false),
  basePath: option<string>({
    type: 'string',
    default: '',
    expected: "a path such as '/api', without a slash at its end",
    fits: (value) => typeof value === 'string' && (value === '' || /^\/.*[^/]$/.test(value)),
  }),
  log: call<(record: LogRecord) => void>('a function that takes a record'),
  hooks,
} satisfies OptionTable<Omit<HandlerOptions, 'models'>>

export type Settings = OptionValues<typeof OPTIONS>

/** @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION */
export function settingsOf({ models: _, ...options }: HandlerOptions): Settings {
  return optionValues('createHandler', options, OPTIONS)
}

export const HANDLER_OPTIONS = ['models', ...Object.keys(OPTIONS)]
