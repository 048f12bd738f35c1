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
  /** What went wrong. */
  readonly error?: string
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
  return `${[timestamp, level, message, ...members].join(' ')}\n${stack === undefined ? '' : `${stack}\n`}`
}

/** Texts with spaces or control characters are written as in JSON, so that a record stays one line. */
function quoted(value: string): string {
  return /^[\x21-\x7e]+$/.test(value) ? value : JSON.stringify(value)
}
