/**
 * Requests to the hub. Neither its answers nor the addresses in them are trusted:
 * - the token goes only to the endpoint's own origin, whatever host a redirect or a `Link` names;
 * - any other address must be https; the endpoint itself may be an http server;
 * - a body has a limit: the listed size of a file, or a bound for answers of the API, after decompression;
 * - a request to a silent server ends.
 * The same holds through a proxy, which only gets the address of an https request.
 */
import { ProxyError, proxyFetch } from '#proxy'
import { invalidArgument } from '../errors.js'
import { onAbort } from './abort.js'

const MAX_REDIRECTS = 10
/** A page of a listing has some hundred kilobytes. */
const MAX_ANSWER = 8 * 1024 * 1024
/** Fewer bytes than this within the time-out count as silence. */
const LEAST_BYTES = 1024
const DEFAULT_SECONDS = 60
/** Number of checks of the clock within the time-out. */
const LOOKS = 8

/** Why the hub gave nothing. `status` is there if it answered with an error status. */
export class HubFailure extends Error {
  constructor(
    message: string,
    readonly status?: number,
  ) {
    super(message)
  }
}

/** There was no answer, or it broke off, so the network may be missing. */
export class HubUnreachable extends HubFailure {}

type Chunks = AsyncGenerator<Uint8Array, void, undefined>

export class HubRequests {
  readonly #endpoint: URL
  readonly #token: string | undefined
  readonly #signal: AbortSignal | undefined
  readonly #milliseconds = timeout()

  /** @throws ERR_INVALID_ARGUMENT for an endpoint that is not an http address, or that holds a password */
  constructor(endpoint: string, token: string | undefined, signal: AbortSignal | undefined) {
    const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined
    if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
      const found = url?.password ? 'one with a password' : endpoint
      throw invalidArgument('HF_ENDPOINT', 'an http or https address without user name', found)
    }
    this.#endpoint = url
    this.#token = token
    this.#signal = signal
  }

  /** A `fetch` for the hub's client. Answers of the API are read as a whole. @throws HubFailure */
  readonly fetch = (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const url = input instanceof Request ? input.url : input
    return this.#ask(url, init?.headers, async (response, chunks) => {
      const parts: Uint8Array[] = []
      let bytes = 0
      for await (const chunk of chunks) {
        bytes += chunk.length
        if (bytes > MAX_ANSWER) throw new HubFailure(`its answer is longer than ${MAX_ANSWER} bytes`)
        parts.push(chunk)
      }
      return new Response(Buffer.concat(parts), { headers: response.headers })
    })
  }

  /**
   * Passes the bytes of a file to `use`, from `start` up to `size`. A server that does not support parts sends them from
   * the first byte; `from` says which.
   * @throws HubFailure, and the errors of `use`
   */
  download(url: string, size: number, use: (chunks: Chunks, from: number) => Promise<void>, start = 0): Promise<void> {
    const asked: Record<string, string> = { 'accept-encoding': 'identity' }
    if (start > 0) asked.range = `bytes=${start}-`
    return this.#ask(url, asked, ({ status, headers }, chunks) => {
      const part = headers.get('content-range')
      if (status === 206 && part !== `bytes ${start}-${size - 1}/${size}`) {
        throw new HubFailure(`it gives the part ${part} instead of the bytes from ${start} on, of ${size}`)
      }
      const from = status === 206 ? start : 0
      return use(counted(chunks, size, from), from)
    })
  }

  async #ask<T>(
    url: string | URL,
    headers: RequestInit['headers'],
    use: (response: Response, chunks: Chunks) => Promise<T>,
  ): Promise<T> {
    // The client takes the address of the next page from an answer.
    if (!URL.canParse(String(url))) throw new HubFailure('it names what is no address')
    const watch = new Watch(this.#milliseconds, this.#signal)
    try {
      const response = await this.#follow(new URL(url), new Headers(headers), watch)
      // Status 206 is right only for a requested part.
      const isRight = response.status === 200 || (response.status === 206 && new Headers(headers).has('range'))
      if (!isRight || response.body === null) {
        discard(response)
        throw new HubFailure(`status ${response.status}`, response.status)
      }
      return await use(response, watch.chunks(response.body))
    } finally {
      watch.end()
    }
  }

  /** The answer behind all redirects. */
  async #follow(start: URL, headers: Headers, watch: Watch): Promise<Response> {
    let url = start
    for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
      const isOwn = url.origin === this.#endpoint.origin
      if (!isOwn && url.protocol !== 'https:') {
        throw new HubFailure(`it leads to ${url.origin}, and only https is followed to another address`)
      }
      headers.delete('authorization')
      if (isOwn && this.#token !== undefined) headers.set('authorization', `Bearer ${this.#token}`)
      const request = { headers, redirect: 'manual', signal: watch.signal } as const
      const response = await proxyFetch(url, request).catch((error: unknown) => watch.fail(error))
      const location = [301, 302, 303, 307, 308].includes(response.status) ? response.headers.get('location') : null
      if (location === null) return response
      discard(response)
      if (!URL.canParse(location, url.href)) throw new HubFailure('it redirects to what is no address')
      url = new URL(location, url)
    }
    throw new HubFailure(`it redirects more than ${MAX_REDIRECTS} times`)
  }
}

/** Does not wait for the body, which may be endless. */
function discard(response: Response): void {
  response.body?.cancel().catch(() => {})
}

/** @param bytes number of bytes that exist already */
async function* counted(chunks: Chunks, size: number, bytes: number): Chunks {
  for await (const chunk of chunks) {
    bytes += chunk.length
    if (bytes > size) throw new HubFailure(`more bytes came than the ${size} that are listed`)
    yield chunk
  }
  if (bytes < size) throw new HubFailure(`${bytes} bytes came of ${size} that are listed`)
}

/** Ends a request when its caller aborts it, or when its server has been silent for too long. */
class Watch {
  readonly #abort = new AbortController()
  readonly #timer: NodeJS.Timeout
  readonly #caller: AbortSignal | undefined
  readonly #onAbort = () => this.#abort.abort(this.#caller?.reason)
  readonly #stopListening: (() => void) | undefined
  /** Checks since the server's last sign of life, without those during which nobody waited for it. */
  #looks = 0
  #bytes = 0
  #isWaiting = true

  constructor(milliseconds: number, caller: AbortSignal | undefined) {
    this.#caller = caller
    const silence = new HubUnreachable(`it was silent for ${milliseconds / 1000} s`)
    this.#timer = setInterval(() => {
      if (this.#isWaiting && ++this.#looks > LOOKS) this.#abort.abort(silence)
    }, milliseconds / LOOKS)
    if (caller?.aborted) this.#onAbort()
    else if (caller) this.#stopListening = onAbort(caller, this.#onAbort)
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  end(): void {
    clearInterval(this.#timer)
    this.#stopListening?.()
  }

  async *chunks(body: ReadableStream<Uint8Array>): Chunks {
    const reader = body.getReader()
    try {
      for (;;) {
        this.#isWaiting = true
        const { done, value } = await reader.read().catch((error: unknown) => this.fail(error))
        this.#isWaiting = false
        if (done) return
        this.#bytes += value.length
        if (this.#bytes >= LEAST_BYTES) this.#bytes = this.#looks = 0
        yield value
      }
    } finally {
      reader.cancel().catch(() => {})
    }
  }

  /** For `.catch`, of what waits for the server. */
  fail(error: unknown): never {
    if (!this.signal.aborted) throw new HubUnreachable(reasonOf(error))
    throw this.signal.reason instanceof HubFailure ? this.signal.reason : new HubFailure('it was aborted')
  }
}

/** `fetch failed` has its reason in the cause. */
function reasonOf(error: unknown): string {
  if (error instanceof ProxyError) return error.message
  const cause = (error as Error).cause
  const inner = cause instanceof Error ? ` (${(cause as NodeJS.ErrnoException).code ?? cause.message})` : ''
  return `${(error as Error).message}${inner}`
}

/** `HF_HUB_DOWNLOAD_TIMEOUT` in seconds, as in Python. */
function timeout(): number {
  const given = process.env.HF_HUB_DOWNLOAD_TIMEOUT
  if (!given || given === '0') return DEFAULT_SECONDS * 1000
  const seconds = Number(given)
  if (seconds > 0 && seconds <= 86_400) return seconds * 1000
  throw invalidArgument('HF_HUB_DOWNLOAD_TIMEOUT', 'a number of seconds, up to a day', given)
}
