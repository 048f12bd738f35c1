/** A request and its answer, whatever brings them: node:http, or Request and Response of the Web. */

export interface Asked {
  readonly method: string
  /** Path and query. */
  readonly target: string
  readonly headers: Readonly<Record<string, string | undefined>>
  /** What another reader, such as a body parser of Express, has already made of the body. */
  readonly parsed?: unknown
  /**
   * The bytes of the body.
   * @param most bytes @param onBytes is told the size of each piece before it is kept
   * @throws ServeError 413 for more; ClientGone
   */
  read(most: number, onBytes: (bytes: number) => void): Promise<Uint8Array>
  /** Fires when the client has gone. */
  readonly signal: AbortSignal
}

export interface Answered {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** Absent for HEAD, and for statuses without a body. */
  readonly body?: string | AsyncIterable<string>
  /** Whether the connection takes no further request. */
  readonly isLast: boolean
  /** To be called when the body has been sent, or cannot be. */
  finish(isSent: boolean): void
}

/** What answers requests. */
export interface Answerer {
  /** Whether a path is served at all. */
  serves(method: string, target: string): boolean
  answer(asked: Asked): Promise<Answered>
}
