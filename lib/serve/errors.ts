/** The answers to what goes wrong: kinds and status codes of text-embeddings-inference, in the shape that a route's clients read. */
import { SentenceTorchError } from '../errors.js'

/** Status codes by kind. Source: text-embeddings-inference `ErrorType` (router/src/lib.rs, router/src/http/server.rs). */
const STATUS = { Unhealthy: 503, Backend: 424, Overloaded: 429, Validation: 422, Tokenizer: 422, Empty: 400 } as const

export type ErrorKind = keyof typeof STATUS

/** How errors are written: as TEI, as OpenAI, or as Cohere does. */
export type ErrorShape = 'tei' | 'openai' | 'cohere'

interface Details {
  /** Default: that of the kind. */
  status?: number
  /** The member of the body that is wrong. */
  param?: string
  /** A short name for programs, in OpenAI's shape: `model_not_found`. */
  code?: string
  headers?: Readonly<Record<string, string>>
  cause?: unknown
}

/** A request that is answered by an error. */
export class ServeError extends Error {
  readonly status: number
  readonly param: string | undefined
  readonly code: string | undefined
  readonly headers: Readonly<Record<string, string>>

  constructor(
    readonly kind: ErrorKind,
    message: string,
    { status, param, code, headers = {}, cause }: Details = {},
  ) {
    super(message, { cause })
    this.name = 'ServeError'
    this.status = status ?? STATUS[kind]
    this.param = param
    this.code = code
    this.headers = headers
  }
}

/** What is wrong with a request. @param param the member of the body */
export function invalid(message: string, param?: string): ServeError {
  return new ServeError('Validation', `Input validation error: ${message}`, param === undefined ? {} : { param })
}

/** An empty input. */
export function empty(name: string): ServeError {
  return new ServeError('Empty', `Input validation error: \`${name}\` cannot be empty`, { param: name })
}

/** More work than is accepted at a time. The header says after how many seconds to try again. */
export function overloaded(message = 'Model is overloaded'): ServeError {
  return new ServeError('Overloaded', message, { code: 'rate_limit_exceeded', headers: { 'retry-after': '1' } })
}

/** The model cannot do what the route asks for. */
export function noSuchTask(message: string): ServeError {
  return new ServeError('Backend', `Backend error: ${message}`, { code: 'unsupported_model' })
}

/** The client has gone: nobody reads the answer. 499 is nginx's number for it, for logs. */
export class ClientGone extends Error {
  readonly status = 499
}

/** Any error as one that can be answered. What is not thrown on purpose is a fault of the server, and tells nothing to clients. */
export function asServeError(error: unknown): ServeError {
  if (error instanceof ServeError) return error
  if (!(error instanceof SentenceTorchError)) {
    return new ServeError('Backend', 'Internal error', { status: 500, code: 'internal_error', cause: error })
  }
  const { code, message } = error
  if (code === 'ERR_INVALID_ARGUMENT' || code === 'ERR_INVALID_DATA') return invalid(message)
  if (code === 'ERR_DISPOSED') return new ServeError('Unhealthy', 'The model is not loaded any more', { cause: error })
  return new ServeError('Backend', `Backend error: ${message}`, { cause: error })
}

/** What logs say of an error. The message of what is wrong with a request may quote its texts, and stays out. */
export function errorFacts(error: unknown): { error?: string; code?: string; param?: string; stack?: string } {
  if (!(error instanceof ServeError)) return error instanceof Error ? { error: error.message } : {}
  const { kind, status, param, cause, message } = error
  if (kind === 'Backend' || kind === 'Unhealthy') {
    const { message: told, stack } = cause instanceof Error ? cause : { message, stack: undefined }
    return { error: told, ...(status === 500 && stack !== undefined && { stack }) }
  }
  return { error: kind, ...(error.code !== undefined && { code: error.code }), ...(param !== undefined && { param }) }
}

/** The body of an error. */
export function errorBody(error: ServeError, shape: ErrorShape): object {
  const { message, kind, status, param = null, code = null } = error
  if (shape === 'tei') return { error: message, error_type: kind }
  const asOpenAi = { message, type: openAiType(status), param, code }
  return shape === 'openai' ? { error: asOpenAi } : { message, error: asOpenAi }
}

function openAiType(status: number): string {
  if (status === 401) return 'authentication_error'
  if (status === 429) return 'rate_limit_error'
  return status >= 500 ? 'server_error' : 'invalid_request_error'
}
