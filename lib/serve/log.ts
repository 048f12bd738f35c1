/** Records of requests. They have neither texts nor keys. */

export interface LogRecord {
  /** ISO 8601. */
  readonly timestamp: string
  readonly level: 'INFO' | 'WARN' | 'ERROR'
  readonly message: string
  readonly requestId?: string
  readonly method?: string
  /** Without the query. */
  readonly path?: string
  readonly status?: number
  readonly milliseconds?: number
  readonly model?: string
  readonly version?: string
  readonly texts?: number
  readonly tokens?: number
  /** What went wrong: of a request that is wrong only the kind, since messages quote it. */
  readonly error?: string
  /** The short name of the error, as the answer has it. */
  readonly code?: string
  /** The member of the body that is wrong. */
  readonly param?: string
  /** Of a fault of the server. */
  readonly stack?: string
}

/** A record as a line of JSON, with TEI's `timestamp`, `level` and `message`. */
export function jsonLine(record: LogRecord): string {
  return `${JSON.stringify(record)}\n`
}

/** A record as a line for people. */
export function plainLine({ timestamp, level, message, stack, ...rest }: LogRecord): string {
  const members = Object.entries(rest).map(
    ([name, value]) => `${name}=${typeof value === 'string' ? quoted(value) : value}`,
  )
  return `${[timestamp, level, message, ...members].join(' ')}\n${stack === undefined ? '' : indented(stack)}`
}

/** The lines of a stack, none of which looks like a record: its message may have line breaks that a client has written. */
function indented(stack: string): string {
  const lines = stack.split(/[\n\r\u2028\u2029]+/)
  return lines.map((line) => `    ${line.replace(/\p{Cc}/gu, ' ')}\n`).join('')
}

/** Texts with spaces or control characters are written as in JSON, so that a record stays one line. */
function quoted(value: string): string {
  return /^[\x21-\x7e]+$/.test(value) ? value : JSON.stringify(value)
}
